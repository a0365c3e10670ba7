import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, freshName, type Message, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

/** `limits.messageBytes` unless configured. */
const LONGEST_MESSAGE = 4_096;
/** An id that nothing has. */
const NOBODY = "AAAAAAAAAAA";

const requests = [
  "room.list",
  "room.create",
  "room.join",
  "room.leave",
  "room.direct",
  "room.invite",
  "room.decline",
  "room.topic",
  "room.role",
  "room.remove",
  "room.ban",
  "room.unban",
  "room.members",
  "room.settings",
  "room.read",
  "message.send",
  "message.edit",
  "message.delete",
  "message.react",
  "message.history",
  "message.changes",
  "message.search",
  "presence.list",
  "webhook.create",
  "webhook.list",
  "webhook.delete",
  "typing",
];

/** Requests that are right without any of the fields that are wrong, and change something; what is said may turn its direction. */
const DONE_ANYWAY = new Set(["room.leave", "message.delete", "message.edit"]);
/** Requests that need none of the fields that are wrong and change nothing here, or only search with them. */
const HARMLESS = new Set([
  ...["room.list", "room.join", "room.decline", "room.settings", "room.read", "room.members"],
  ...["message.history", "message.search", "presence.list", "webhook.list", "typing"],
]);
/** Whatever was wrong, it was not the server. */
const REFUSED = /^(bad_request|invalid_name|not_found|forbidden|too_large|conflict)$/;

/** Asks again when too much was asked in too short a time. */
async function limited(asking: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await asking();
    if (answer.error?.code !== "limited") return answer;
    await sleep(answer.error.retryAfterMs);
  }
}

onEveryScene("the chat refuses", (scene) => {
  describe("with a clear error, stores nothing, and keeps the connection:", () => {
    const send = (more: object) => ({ event: "message.send", args: { id: "m", text: "x", ...more } });
    const cases: Record<string, { event: string; args: object; code?: string; says?: RegExp }> = {
      "an empty message": { ...send({ text: "" }), says: /empty/ },
      "a message of spaces": { ...send({ text: " \n\t " }), says: /empty/ },
      "a message one byte too long": {
        ...send({ text: "x".repeat(LONGEST_MESSAGE + 1) }),
        code: "too_large",
        says: /4097 bytes; 4096 are allowed/,
      },
      "a message too long in bytes, not in characters": {
        ...send({ text: "€".repeat(1_366) }),
        code: "too_large",
      },
      "a message with a control character": { ...send({ text: "a\u0000b" }), says: /U\+0000/ },
      "an edit with a control character": {
        event: "message.edit",
        args: { number: 1, text: "a\u0000b" },
        says: /U\+0000/,
      },
      "a message that is a number": send({ text: 7 }),
      "a message that is null": send({ text: null }),
      "a message that is binary": send({ text: Buffer.from("hello") }),
      "a message without an id": send({ id: undefined }),
      "a message with an id of other characters": send({ id: "a b" }),
      "a message with a long id": send({ id: "x".repeat(65) }),
      "a notice": send({ kind: "notice" }),
      "an answer to no message": { ...send({ replyTo: 99 }), code: "not_found" },
      "an answer to a fraction": send({ replyTo: 1.5 }),
      "a message to a room that is not": { ...send({ room: NOBODY }), code: "not_found|forbidden" },
      "a message to a room named by a path": send({ room: "../../etc" }),
      "a room without a name": {
        event: "room.create",
        args: { name: "", kind: "public" },
        code: "invalid_name",
      },
      "a room with a hidden character": {
        event: "room.create",
        args: { name: "a\u202eb", kind: "public" },
        code: "invalid_name",
      },
      "a room with a long name": {
        event: "room.create",
        args: { name: "x".repeat(65), kind: "public" },
        code: "invalid_name",
      },
      "a direct room by name": { event: "room.create", args: { name: freshName("x"), kind: "direct" } },
      "a topic that is too long": { event: "room.topic", args: { topic: "x".repeat(300) } },
      "a topic that turns the direction of text": { event: "room.topic", args: { topic: "a\u202eb" } },
      "a reaction that cannot be seen": {
        event: "message.react",
        args: { number: 1, emoji: "\u2066", on: true },
      },
      "a reaction that is none": { event: "message.react", args: { number: 1, emoji: "", on: true } },
      "a reaction to nothing": {
        event: "message.react",
        args: { number: 99, emoji: "🍵", on: true },
        code: "not_found",
      },
      "a role that nobody can give": { event: "room.role", args: { name: "x", role: "owner" } },
      "an invitation for nobody": {
        event: "room.invite",
        args: { name: freshName("nobody") },
        code: "not_found",
      },
      "a page of no messages": { event: "message.history", args: { limit: 0 } },
      "changes since never": { event: "message.changes", args: {} },
      "changes since a moment before the first": { event: "message.changes", args: { since: -1 } },
      "more attachments than a message may have": {
        ...send({ text: "", attachments: Array<string>(5).fill(NOBODY) }),
        says: /may have 4 attachments/,
      },
      "an attachment that nobody uploaded": { ...send({ attachments: [NOBODY] }), code: "not_found" },
      "an attachment named by a path": send({ attachments: ["../../etc/passwd"] }),
      "attachments that are no list": send({ attachments: NOBODY }),
      "a number below zero": { event: "message.history", args: { before: -1 } },
    };
    for (const [title, { event, args, code = "bad_request", says = /.{10}/ }] of Object.entries(cases)) {
      test(title, async () => {
        const ada = await Person.guest(scene.url);
        const { room } = await ada.create();
        await ada.say(room, "first");
        const heard = ada.gather<Message>("message");
        const { ok, error } = await ada.request(event, { room, ...args });
        assert.equal(ok, false);
        assert.match(error?.code ?? "", new RegExp(`^(${code})$`));
        assert.match(error?.message ?? "", says);
        assert.equal((await ada.say(room, "still here")).number, 2, "something was stored");
        assert.deepEqual(
          heard.filter(({ text }) => text !== "still here"),
          [],
        );
      });
    }
  });

  test("what no request is, or is asked without an ack, and harms nothing", async () => {
    const ada = await Person.guest(scene.url);
    const { room } = await ada.create();
    for (const event of [...requests, "no such event", "constructor", "__proto__"]) {
      for (const args of [
        [],
        [null],
        [7],
        [[]],
        ["x"],
        [{}],
        [{ room: {}, name: [] }],
        [{ room: NOBODY, name: 7 }],
      ]) {
        ada.socket.emit(event, ...args);
      }
      const { ok, error } = await ada.request(event, { room: 7, name: [], query: {} });
      assert.equal(ok, false, event);
      assert.match(error?.code ?? "", /^(bad_request|limited)$/);
      assert.ok((error?.message.length ?? 0) > 10);
    }
    assert.equal((await ada.say(room, "still here")).number, 1);
  });

  test("texts that no name and no message can be, in every field of every request", async () => {
    const ada = await Person.guest(scene.url);
    const { room, name } = await ada.create();
    await ada.say(room, "first");
    const fields = ["name", "query", "text", "topic", "emoji", "after", "id"];
    const taken: string[] = [];
    const right = { room, number: 1, role: "member", on: true };
    for (const [what, bad] of Object.entries({
      "a NUL": "a\u0000b",
      "an escape": "a\u001b[31mb",
      "a change of direction": "a\u202eb",
      "an isolate": "a\u2066b",
      "a long text": "x".repeat(100_000),
    })) {
      for (const event of requests.filter((event) => !DONE_ANYWAY.has(event))) {
        const kind = event === "room.create" ? "public" : "text";
        const wrong = Object.fromEntries(fields.map((field) => [field, bad]));
        const { ok, error } = await limited(() => ada.request(event, { ...right, kind, ...wrong }));
        if (ok) {
          if (!HARMLESS.has(event)) taken.push(`${event} takes ${what}`);
        } else assert.match(error?.code ?? "no answer", REFUSED, `${event} with ${what}: ${error?.message}`);
      }
    }
    assert.deepEqual(taken, []);
    assert.equal((await ada.say(room, "still here")).number, 2, "something was stored");
    const { rooms = [] } = await ada.must("room.list", { query: name });
    assert.deepEqual(
      rooms.map((found) => found.name),
      [name],
    );
  });

  test("a message of exactly the longest length is told", async () => {
    const ada = await Person.guest(scene.url);
    const { room } = await ada.create();
    for (const text of ["x".repeat(LONGEST_MESSAGE), `${"€".repeat(1_365)}x`]) {
      const told = ada.next<Message>("message");
      await ada.say(room, text);
      assert.equal((await told).text, text);
    }
  });
});
