import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { ask, closeClients, connected, heard, type Client, type Transport, transports } from "../harness/client.ts";
import { onEveryTarget } from "../harness/targets.ts";

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
        await settle(dave);
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
        await settle(bob);
        assert.deepEqual(heardByBob, []);
      });

      test("joining twice does not double what one hears", async () => {
        const alice = await member();
        await ask(alice, "join", "tea");
        await ask(alice, "join", "tea");
        const messages = collect(alice);
        await ask(alice, "publish", "tea", 1);
        await ask(alice, "publish", "tea", 2);
        await settle(alice);
        assert.deepEqual(messages, [
          ["tea", 1],
          ["tea", 2],
        ]);
      });

      test("the same name in another namespace is another room", async () => {
        const [alice, bob] = await Promise.all([member("/"), member("/custom")]);
        await ask(alice, "join", "tea");
        await ask(bob, "join", "tea");
        const heardByBob = collect(bob);
        const arrival = heard(alice, "message");
        await ask(alice, "publish", "tea", "main only");
        await arrival;
        await settle(bob);
        assert.deepEqual(heardByBob, []);
      });

      test("one hears what was published before one's own publish was acknowledged", async () => {
        const alice = await member();
        await ask(alice, "join", "tea");
        const messages = collect(alice);
        await ask(alice, "publish", "tea", "echo");
        assert.deepEqual(messages, [["tea", "echo"]]);
      });

      test("a room keeps each sender's order", async () => {
        const [alice, bob, carol] = await Promise.all([member(), member(), member()]);
        for (const one of [alice, bob, carol]) await ask(one, "join", "tea");
        const messages = collect(carol);
        const say = (who: Client, name: string) =>
          Promise.all(Array.from({ length: 100 }, (_, number) => ask(who, "publish", "tea", [name, number])));
        await Promise.all([say(alice, "alice"), say(bob, "bob")]);
        await settle(carol);
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
        await ask(alice, "publish", "tea", { leaf: Buffer.from([0, 255, 128]), more: [Buffer.alloc(50_000, 3)] });
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

function collect(socket: Client): Message[] {
  const messages: Message[] = [];
  socket.on("message", (...args: Message) => messages.push(args));
  return messages;
}

/**
 * Waits until everything that was published before this call has arrived. Order is kept per node only, so the
 * marker is published by the listener itself and by a bystander's round trip through every node in turn.
 */
async function settle(socket: Client): Promise<void> {
  for (let round = 0; round < 3; round += 1) await ask(socket, "echo", round);
}
