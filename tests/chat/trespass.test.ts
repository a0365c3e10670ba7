import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client, connect } from "../harness/client.ts";
import { send } from "../harness/http.ts";
import { Browser, freshName, PASSWORD, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

onEveryScene("what is not one's own is kept from", (scene) => {
  /** A room with a message of its owner, and of somebody whom he has removed. */
  const forsaken = async () => {
    const [owner, removed] = [await Person.guest(scene.url), await Person.member(scene.url)];
    const { room } = await owner.create();
    await removed.join(room);
    const theirs = await owner.say(room, "the owner's");
    const own = await removed.say(room, "mine");
    const gone = removed.next("room.left");
    await owner.must("room.remove", { room, name: removed.name });
    await gone;
    return { owner, removed, room, theirs: theirs.number, own: own.number };
  };

  test("somebody who was removed from a room, by events and by a program, whatever he asks there", async () => {
    const { owner, removed, room, own } = await forsaken();
    const { token = "" } = await removed.browser.must("/api/account/token", {});
    const stored = await owner.history(room);
    const changed = owner.gather("message.changed");
    for (const [event, more] of [
      ["message.send", { id: "again", text: "still me" }],
      ["message.edit", { number: own, text: "changed" }],
      ["message.delete", { number: own }],
      ["message.react", { number: own, emoji: "🍵", on: true }],
      ["message.history", {}],
      ["message.search", { query: "mine" }],
      ["room.read", { number: own }],
      ["room.topic", { topic: "mine" }],
      ["room.invite", { name: removed.name }],
      ["room.role", { name: owner.name, role: "member" }],
      ["room.remove", { name: owner.name }],
      ["room.ban", { name: owner.name }],
      ["room.members", {}],
      ["room.settings", { muted: true }],
      ["presence.list", {}],
      ["webhook.create", { name: "hook" }],
      ["webhook.list", {}],
      ["typing", {}],
    ] as const) {
      const { error } = await removed.request(event, { room, ...more });
      // Of what is only one's own in a room there is none.
      assert.match(error?.code ?? "done", /^(forbidden|not_found)$/, event);
    }
    const path = `${scene.url}/api/v1/rooms/${room}/messages`;
    const authorization = `Bearer ${token}`;
    assert.equal((await send(path, { headers: { authorization } })).status, 403);
    const body = JSON.stringify({ text: "by a program" });
    const headers = {
      authorization,
      "content-type": "application/json",
      "content-length": String(body.length),
    };
    assert.equal((await send(path, { method: "POST", headers, body })).status, 403);
    assert.deepEqual(await owner.history(room), stored);
    assert.deepEqual(changed, []);
    await removed.join(room);
    assert.deepEqual(
      await removed.history(room),
      stored.concat((await owner.history(room)).slice(stored.length)),
    );
  });

  test("whoever did not write a message, and is no moderator", async () => {
    const { removed, room, theirs } = await forsaken();
    await removed.join(room);
    const stored = await removed.history(room);
    for (const [event, more] of [
      ["message.edit", { text: "changed" }],
      ["message.delete", {}],
    ] as const) {
      const { error } = await removed.request(event, { room, number: theirs, ...more });
      assert.equal(error?.code, "forbidden", event);
    }
    assert.deepEqual(await removed.history(room), stored);
  });

  describe("whoever forges a cookie:", () => {
    const forgeries = (cookie: string) => {
      const [name = "", value = ""] = cookie.split("=");
      const other = value.startsWith("A") ? "B" : "A";
      return {
        "one character changed": `${name}=${other}${value.slice(1)}`,
        "in capitals": `${name}=${value.toUpperCase()}`,
        "cut off": `${name}=${value.slice(0, -1)}`,
        "made longer": `${name}=${value}A`,
        quoted: `${name}="${value}`,
        "of another name": `hither_sessions=${value}`,
        "very long": `${name}=${"A".repeat(6_000)}`,
        "a name": `${name}=Ada`,
        "not ASCII": `${name}=%00${encodeURIComponent("é")}`,
      };
    };

    test("no page, no socket and no account", async () => {
      const ada = await Person.member(scene.url);
      for (const [kind, cookie] of Object.entries(forgeries(ada.browser.cookie))) {
        const forger = new Browser(scene.url);
        forger.cookie = cookie;
        assert.equal((await forger.get("/api/session")).body["person"], null, kind);
        for (const [path, body] of [
          ["/api/account/password", { current: PASSWORD, new: "another password" }],
          ["/api/account/delete", { password: PASSWORD }],
          ["/api/account/token", {}],
          ["/api/account/token/revoke", {}],
        ] as const) {
          forger.cookie = cookie;
          const { http, answer } = await forger.post(path, body);
          assert.deepEqual([http.status, answer.error?.code], [401, "not_signed_in"], `${kind}: ${path}`);
        }
        const socket = client(`${scene.url}/chat`, "polling", { extraHeaders: { cookie } });
        await assert.rejects(connect(socket), /Sign in first/, kind);
      }
      await Person.open(scene.url, ada.name, ada.browser);
    });
  });

  test("whoever sends a form once more: it is done once, and refused in plain words", async () => {
    const name = freshName("Ada");
    const browser = new Browser(scene.url);
    const signUp = { name, password: PASSWORD };
    await browser.must("/api/session/sign-up", signUp);
    const first = browser.cookie;
    const again = await new Browser(scene.url).post("/api/session/sign-up", signUp);
    assert.deepEqual([again.http.status, again.answer.error?.code], [409, "conflict"]);
    assert.equal(again.http.headers["set-cookie"], undefined);

    const change = { current: PASSWORD, new: "another password" };
    await browser.must("/api/account/password", change);
    const replayed = await browser.post("/api/account/password", change);
    assert.equal(replayed.answer.error?.code, "wrong_credentials");

    const current = browser.cookie;
    await browser.must("/api/session/sign-out", {});
    for (const cookie of [first, current]) {
      browser.cookie = cookie;
      const { http } = await browser.post("/api/session/sign-out", {});
      assert.ok(http.status < 500);
      browser.cookie = cookie;
      assert.equal((await browser.get("/api/session")).body["person"], null);
      browser.cookie = cookie;
      const removal = await browser.post("/api/account/delete", { password: "another password" });
      assert.equal(removal.answer.error?.code, "not_signed_in");
    }
    await new Browser(scene.url).must("/api/session/sign-in", { name, password: "another password" });
  });
});
