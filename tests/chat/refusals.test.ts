import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client, connect } from "../harness/client.ts";
import { Guest } from "./guest.ts";
import { onEveryScene } from "./scene.ts";

const ROOM = "tea";

/** `limits.message` unless configured, in bytes. */
const LONGEST_MESSAGE = 4_096;

onEveryScene("the chat refuses", (scene) => {
  const signIn = (name: unknown) => Guest.signIn(scene.url, name);

  describe("a name", () => {
    const bad: Record<string, unknown> = {
      "that is empty": "",
      "of spaces": "   ",
      "of 33 characters": "x".repeat(33),
      "with a line break": "Ada\nBob",
      "that is a number": 7,
      "that is an object": { first: "Ada" },
      "that is null": null,
    };
    for (const [title, name] of Object.entries(bad)) {
      test(`${title}, with a reason`, async () => {
        await assert.rejects(signIn(name), (error: Error) => error.message.length > 0);
      });
    }

    test("that is not given at all", async () => {
      const socket = client(`${scene.url}/chat`, "upgrade");
      await assert.rejects(connect(socket), (error: Error) => error.message.length > 0);
    });

    test("but takes one of 32 characters, however many bytes they have", async () => {
      const name = "🦀".repeat(32);
      const guest = await signIn(name);
      assert.equal((await guest.welcome).user, name);
    });
  });

  describe("with an error that says so, and the connection lives on:", () => {
    interface Refusal {
      event: string;
      args: unknown[];
      says?: RegExp;
    }
    const message = (text: unknown) => ({ event: "chat message", args: [{ room: ROOM, message: text }] });
    const refusals: Record<string, Refusal> = {
      "an empty message": { ...message(""), says: /empty/i },
      "a message of spaces": { ...message(" \n\t "), says: /empty/i },
      "a message one byte too long": {
        ...message("x".repeat(LONGEST_MESSAGE + 1)),
        says: /4096|4,096|long|large|big/i,
      },
      "a message too long in bytes, not in characters": {
        ...message("€".repeat(1_366)),
        says: /4096|4,096|long|large|big/i,
      },
      "a message that is a number": message(7),
      "a message that is missing": { event: "chat message", args: [{ room: ROOM }] },
      "a message that is null": { event: "chat message", args: [null] },
      "a message that is no object": { event: "chat message", args: ["hello"] },
      "a message with nothing in it": { event: "chat message", args: [] },
      "a message that is binary": message(Buffer.from("hello")),
      "a message to a room one is not in": {
        event: "chat message",
        args: [{ room: "elsewhere", message: "hello" }],
        says: /not in|join/i,
      },
      "joining twice": { event: "join room", args: [{ room: ROOM }], says: /already/i },
      "a room without a name": { event: "join room", args: [{ room: "" }] },
      "a room named by spaces": { event: "join room", args: [{ room: "  " }] },
      "a room with a name too long": { event: "join room", args: [{ room: "x".repeat(1_000) }] },
      "a room that is a number": { event: "join room", args: [{ room: 7 }] },
      "a room that is no object": { event: "join room", args: ["tea"] },
      "joining nothing": { event: "join room", args: [] },
      "leaving a room one is not in": { event: "leave room", args: [{ room: "elsewhere" }], says: /not in/i },
      "leaving nothing": { event: "leave room", args: [] },
    };
    for (const [title, { event, args, says = /./ }] of Object.entries(refusals)) {
      test(title, async () => {
        const ada = await signIn("Ada");
        await ada.join(ROOM);
        const heard = ada.gather("chat message");
        const answer = await ada.request(event, ...args);
        assert.equal(answer.ok, false);
        assert.match(answer.error, says);
        assert.deepEqual(await ada.say(ROOM, "still here"), { ok: true });
        assert.equal(heard.length <= 1, true, "the refused message was told");
      });
    }
  });

  test("a message of exactly the longest length is told", async () => {
    const ada = await signIn("Ada");
    await ada.join(ROOM);
    for (const text of ["x".repeat(LONGEST_MESSAGE), `${"€".repeat(1_365)}x`]) {
      const told = ada.next<{ message: string }>("chat message");
      assert.deepEqual(await ada.say(ROOM, text), { ok: true });
      assert.equal((await told).message, text);
    }
  });

  test("what comes without an ack, or is no event of the chat, harms nothing", async () => {
    const ada = await signIn("Ada");
    await ada.join(ROOM);
    for (const args of [[], [null], [7], [[]], [{ room: "elsewhere" }], [{ room: {}, message: [] }]]) {
      for (const event of ["chat message", "join room", "leave room", "list rooms", "no such event"]) {
        ada.socket.emit(event, ...args);
      }
    }
    assert.deepEqual(await ada.say(ROOM, "still here"), { ok: true });
  });
});
