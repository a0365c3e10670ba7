import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { History } from "./history.ts";

const ROOM = "tea";

describe("the history checker", () => {
  let history: History;

  beforeEach(() => {
    history = new History();
    for (const member of ["alice", "bob"]) history.enter(ROOM, member);
  });

  /** Alice says so many messages, all acknowledged, and hears them herself. */
  function aliceSays(count: number): void {
    for (let said = 0; said < count; said += 1) {
      const number = history.say(ROOM, "alice");
      history.hear(ROOM, "alice", "alice", number);
      history.acknowledge(ROOM, "alice", number);
    }
  }

  function bobHears(...numbers: number[]): void {
    for (const number of numbers) history.hear(ROOM, "bob", "alice", number);
  }

  const bobs = (kind: string, ...numbers: number[]) => [
    { kind, room: ROOM, receiver: "bob", sender: "alice", numbers },
  ];

  test("is content when everyone hears everything in order", () => {
    aliceSays(3);
    bobHears(1, 2, 3);
    assert.deepEqual(history.violations(), []);
    assert.equal(history.outstanding, 0);
    history.assertClean();
  });

  test("tells whose messages are still to come", () => {
    aliceSays(2);
    bobHears(1);
    assert.equal(history.outstandingOf(new Set(["alice"])), 1);
    assert.equal(history.outstandingOf(new Set(["bob"])), 0);
    bobHears(2);
    assert.equal(history.outstandingOf(new Set(["alice", "bob"])), 0);
  });

  test("sees what was lost: at the beginning, in the middle, at the end", () => {
    aliceSays(5);
    bobHears(2, 4);
    assert.deepEqual(history.violations(), bobs("lost", 1, 3, 5));
    assert.equal(history.outstanding, 3);
  });

  test("sees what came twice, at once or later", () => {
    aliceSays(3);
    bobHears(1, 1, 2, 3, 2);
    assert.deepEqual(history.violations(), bobs("doubled", 1, 2));
  });

  test("sees what came out of order", () => {
    aliceSays(4);
    bobHears(1, 3, 4, 2);
    assert.deepEqual(history.violations(), bobs("reordered", 2));
  });

  test("asks of one who broke off for everything up to the last it heard, and for no more", () => {
    aliceSays(5);
    bobHears(1, 3);
    history.brokeOff("bob");
    assert.deepEqual(history.violations(), bobs("lost", 2));
  });

  test("sees what nobody said", () => {
    aliceSays(1);
    bobHears(1, 2, 0);
    history.hear(ROOM, "bob", "mallory", 1);
    assert.deepEqual(history.violations(), [
      ...bobs("unsaid", 2, 0),
      { kind: "unsaid", room: ROOM, receiver: "bob", sender: "mallory", numbers: [1] },
    ]);
  });

  test("keeps senders apart", () => {
    aliceSays(2);
    const number = history.say(ROOM, "bob");
    history.acknowledge(ROOM, "bob", number);
    bobHears(1);
    history.hear(ROOM, "bob", "bob", number);
    bobHears(2);
    assert.deepEqual(history.violations(), [
      { kind: "lost", room: ROOM, receiver: "alice", sender: "bob", numbers: [1] },
    ]);
  });

  test("keeps rooms apart", () => {
    history.enter("coffee", "bob");
    const number = history.say("coffee", "alice");
    history.acknowledge("coffee", "alice", number);
    aliceSays(1);
    bobHears(1);
    assert.deepEqual(history.violations(), [
      { kind: "lost", room: "coffee", receiver: "bob", sender: "alice", numbers: [1] },
    ]);
  });

  test("lets what was not acknowledged be heard or not, but not twice", () => {
    history.say(ROOM, "alice");
    history.say(ROOM, "alice");
    bobHears(2);
    assert.deepEqual(history.violations(), []);
    bobHears(2);
    assert.deepEqual(history.violations(), bobs("doubled", 2));
  });

  test("asks nothing of one who was not there yet", () => {
    aliceSays(2);
    bobHears(1, 2);
    history.enter(ROOM, "carol");
    aliceSays(1);
    bobHears(3);
    history.hear(ROOM, "carol", "alice", 3);
    assert.deepEqual(history.violations(), []);
  });

  test("lets one who was away miss something, but not hear it twice or out of order", () => {
    aliceSays(5);
    history.wasAway("bob");
    bobHears(1, 4, 4, 3);
    assert.deepEqual(history.violations(), [...bobs("doubled", 4), ...bobs("reordered", 3)]);
  });

  test("refuses to record what was heard outside a room", () => {
    assert.throws(() => {
      history.hear("coffee", "bob", "alice", 1);
    }, /without having entered/);
  });

  test("tells a person what happened, and in how many cases", () => {
    aliceSays(40);
    bobHears(1, 1);
    assert.throws(() => {
      history.assertClean();
    }, /39 lost, 1 doubled\n {2}lost: bob in tea, messages of alice: 2, 3, .* … \(39 in all\)\n {2}doubled: bob in tea, messages of alice: 1$/);
  });

  test("counts", () => {
    aliceSays(2);
    history.say(ROOM, "bob");
    bobHears(1);
    assert.deepEqual(history.totals, { said: 3, acknowledged: 2, heard: 3 });
  });
});
