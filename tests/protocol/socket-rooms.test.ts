import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import {
  ask,
  closeClients,
  connect,
  connected,
  heard,
  type Client,
  type Transport,
  transports,
} from "../harness/client.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { DEFAULT_DEADLINE_MS, within } from "../harness/wait.ts";

onEveryTarget("Rooms", {}, (server) => {
  afterEach(closeClients);

  for (const transport of Object.keys(transports) as Transport[]) {
    describe(`over ${transport}`, () => {
      const member = (namespace = "/") => connected(`${server.url}${namespace}`, transport);

      test("a publish reaches every member, the sender too, and nobody else", async () => {
        const [alice, bob, carol, dave] = await Promise.all([member(), member(), member(), member()]);
        for (const one of [alice, bob, carol]) await ask(one, "join", "tea");
        await ask(dave, "join", "coffee");
        const outsider = collect(dave);
        const arrivals = Promise.all([alice, bob, carol].map((one) => heard(one, "message")));
        await ask(alice, "publish", "tea", { text: "anyone?" });
        for (const args of await arrivals) assert.deepEqual(args, ["tea", { text: "anyone?" }]);
        await caughtUp(dave, alice);
        assert.deepEqual(outsider, []);
      });

      test("one does not hear a room one has left, nor one that one has not joined", async () => {
        const [alice, bob] = await Promise.all([member(), member()]);
        await ask(alice, "join", "tea");
        await ask(bob, "join", "tea");
        await ask(bob, "leave", "tea");
        const heardByBob = collect(bob);
        const arrival = heard(alice, "message");
        await ask(bob, "publish", "tea", "without me");
        assert.deepEqual(await arrival, ["tea", "without me"]);
        await caughtUp(bob, bob);
        assert.deepEqual(heardByBob, []);
      });

      test("joining twice does not double what one hears", async () => {
        const alice = await member();
        await ask(alice, "join", "tea");
        await ask(alice, "join", "tea");
        const messages = collect(alice);
        await ask(alice, "publish", "tea", 1);
        await ask(alice, "publish", "tea", 2);
        await caughtUp(alice, alice);
        assert.deepEqual(messages, [
          ["tea", 1],
          ["tea", 2],
        ]);
      });

      test("the same name in another namespace is another room", async () => {
        const [alice, bob] = await Promise.all([member("/"), member("/custom")]);
        const aliceInCustom = alice.io.socket("/custom");
        await connect(aliceInCustom);
        await ask(alice, "join", "tea");
        await ask(bob, "join", "tea");
        const heardByBob = collect(bob);
        const arrival = heard(alice, "message");
        await ask(alice, "publish", "tea", "main only");
        await arrival;
        await caughtUp(bob, aliceInCustom);
        assert.deepEqual(heardByBob, []);
      });

      test("a room keeps each sender's order", async () => {
        const [alice, bob, carol] = await Promise.all([member(), member(), member()]);
        for (const one of [alice, bob, carol]) await ask(one, "join", "tea");
        const messages = collect(carol);
        const say = (who: Client, name: string) =>
          Promise.all(Array.from({ length: 100 }, (_, number) => ask(who, "publish", "tea", [name, number])));
        await Promise.all([say(alice, "alice"), say(bob, "bob")]);
        await Promise.all([caughtUp(carol, alice), caughtUp(carol, bob)]);
        const wanted = Array.from({ length: 100 }, (_, number) => number);
        for (const name of ["alice", "bob"]) {
          const numbers = messages.flatMap(([, [sender, number]]) => (sender === name ? [number] : []));
          assert.deepEqual(numbers, wanted, `messages of ${name}`);
        }
      });

      test("binary reaches every member", async () => {
        const [alice, bob] = await Promise.all([member(), member()]);
        await ask(alice, "join", "tea");
        await ask(bob, "join", "tea");
        const arrival = heard(bob, "message");
        await ask(alice, "publish", "tea", {
          leaf: Buffer.from([0, 255, 128]),
          more: [Buffer.alloc(50_000, 3)],
        });
        const [, payload] = await arrival;
        assert.deepEqual(payload, { leaf: Buffer.from([0, 255, 128]), more: [Buffer.alloc(50_000, 3)] });
      });
    });
  }

  test("members over different transports hear each other", async () => {
    const members = await Promise.all(
      (Object.keys(transports) as Transport[]).map((transport) => connected(server.url, transport)),
    );
    for (const one of members) await ask(one, "join", "tea");
    for (const speaker of members) {
      const arrivals = Promise.all(members.map((one) => heard(one, "message")));
      await ask(speaker, "publish", "tea", speaker.id);
      for (const args of await arrivals) assert.deepEqual(args, ["tea", speaker.id]);
    }
  });

  test("odd room names are names like any other", async () => {
    const alice = await connected(server.url, "websocket");
    for (const room of ["", " ", "tea, coffee/and-1", "日本語 🦀", "x".repeat(1_000)]) {
      await ask(alice, "join", room);
      const arrival = heard(alice, "message");
      await ask(alice, "publish", room, "hello");
      assert.deepEqual(await arrival, [room, "hello"]);
    }
  });
});

type Message = [room: string, payload: [sender: string, number: number]];

/** Gathers what a client hears from now on, but for the markers of {@link caughtUp}. */
function collect(socket: Client): Message[] {
  const messages: Message[] = [];
  socket.on("message", (...args: Message) => {
    if (!args[0].startsWith("between ")) messages.push(args);
  });
  return messages;
}

/**
 * Waits until `listener` has everything that `speaker` published before: both are in a room of their own, and what
 * one node publishes arrives in the order in which it was published.
 */
async function caughtUp(listener: Client, speaker: Client): Promise<void> {
  const room = `between ${listener.id ?? ""} and ${speaker.id ?? ""}`;
  await ask(listener, "join", room);
  const arrives = new Promise<void>((resolve) => {
    listener.on("message", (name: string) => {
      if (name === room) resolve();
    });
  });
  await ask(speaker, "publish", room, "the end");
  await within(DEFAULT_DEADLINE_MS, "the marker", arrives);
  await ask(listener, "leave", room);
}
