import assert from "node:assert/strict";
import { test } from "node:test";
import { send } from "../harness/http.ts";
import { type Answer, type Message, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

onEveryScene("programs", (scene) => {
  const call = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const all = { ...headers, "content-length": String(Buffer.byteLength(text)) };
    if (body !== undefined) Object.assign(all, { "content-type": "application/json" });
    const answer = await send(`${scene.url}${path}`, { method, headers: all, body: text });
    return { status: answer.status, ...(JSON.parse(answer.text) as Answer & { rooms?: { room: string }[] }) };
  };

  test("list rooms, send and read with an account's token, until it is revoked", async () => {
    const ada = await Person.member(scene.url);
    const { room } = await ada.create();
    const { token = "" } = await ada.browser.must("/api/account/token", {});
    const headers = { authorization: `Bearer ${token}` };
    const { rooms = [] } = await call("GET", "/api/v1/rooms", headers);
    assert.ok(rooms.some((membership) => membership.room === room));
    const heard = ada.next<Message>("message");
    const path = `/api/v1/rooms/${room}/messages`;
    const { number } = await call("POST", path, headers, { text: "by a program", id: "p-1" });
    assert.equal(number, 1);
    assert.deepEqual([(await heard).text, (await heard).author.name], ["by a program", ada.name]);
    assert.equal((await call("POST", path, headers, { text: "by a program", id: "p-1" })).number, 1);
    const { messages = [] } = await call("GET", `${path}?limit=10`, headers);
    assert.deepEqual(
      messages.map(({ id }) => id),
      ["p-1"],
    );
    for (const wrong of ["?limit=x", "?before=-1", "?limit=0"])
      assert.equal((await call("GET", path + wrong, headers)).error?.code, "bad_request", wrong);
    assert.equal((await call("GET", "/api/v1/rooms/lobby/messages", headers)).status, 400);
    await ada.browser.must("/api/account/token/revoke", {});
    for (const shown of [headers, {}, { authorization: "Basic x" }, { authorization: "Bearer x" }])
      assert.equal((await call("GET", "/api/v1/rooms", shown as Record<string, string>)).status, 401);
  });

  test("say something by a webhook whose path they know, until it is deleted", async () => {
    const ada = await Person.guest(scene.url);
    const { room } = await ada.create();
    const { webhook, path = "" } = await ada.must("webhook.create", { room, name: "Build" });
    assert.match(path, /^\/api\/hooks\/[\w-]{43}$/);
    const heard = ada.next<Message>("message");
    const said = await call("POST", path, {}, { text: "green", id: "build-1" });
    assert.equal(said.ok, true);
    assert.deepEqual((await heard).author, { name: "Build", kind: "webhook" });
    assert.equal((await call("POST", path, {}, { text: "green", id: "build-1" })).number, said.number);
    assert.equal((await call("POST", path, {}, { text: "" })).error?.code, "bad_request");
    assert.equal((await call("POST", `${path}x`, {}, { text: "x" })).status, 404);
    await ada.must("webhook.delete", { room, id: webhook?.id });
    assert.equal((await call("POST", path, {}, { text: "red" })).status, 404);
    assert.equal((await ada.history(room)).length, 1);
  });

  test("find out what there is", async () => {
    const answer = await send(`${scene.url}/api/openapi.json`);
    const { openapi, paths } = JSON.parse(answer.text) as { openapi: string; paths: Record<string, object> };
    assert.match(openapi, /^3\.1/);
    assert.deepEqual(Object.keys(paths).sort(), [
      "/api/hooks/{secret}",
      "/api/v1/rooms",
      "/api/v1/rooms/{room}/messages",
    ]);
  });
});
