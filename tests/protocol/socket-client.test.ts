import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import {
  ask,
  client,
  closeClients,
  connect,
  connected,
  heard,
  transports,
  upgraded,
  type Client,
  type Transport,
} from "../harness/client.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { within } from "../harness/wait.ts";

onEveryTarget("The stock client", {}, (server) => {
  afterEach(closeClients);

  for (const transport of Object.keys(transports) as Transport[]) {
    describe(`over ${transport}`, () => {
      test("connects, and the server sees its auth payload", async () => {
        const socket = client(server.url, transport, { auth: { token: "abc", nested: { list: [1, null] } } });
        const auth = heard(socket, "auth");
        await connect(socket);
        assert.deepEqual(await auth, [{ token: "abc", nested: { list: [1, null] } }]);
        assert.ok(!socket.recovered);
      });

      test("is answered with what it sent", async () => {
        const socket = await connected(server.url, transport);
        const args = [1, "2", { 3: [true] }, null, Buffer.from([4, 5]), { deep: [Buffer.alloc(0)] }, "€🦀"];
        const back = heard(socket, "message-back");
        socket.emit("message", ...args);
        assert.deepEqual(await back, args);
      });

      test("has its acks, also binary, each its own", async () => {
        const socket = await connected(server.url, transport);
        assert.deepEqual(await ask(socket, "echo", { a: [1] }), { a: [1] });
        assert.deepEqual(await ask(socket, "echo", Buffer.from([1, 2, 3])), Buffer.from([1, 2, 3]));
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, number) => ask(socket, "echo", number)),
        );
        assert.deepEqual(
          answers,
          answers.map((_, number) => number),
        );
      });

      test("acks events of the server, which carry binary, with anything, also binary", async () => {
        const socket = await connected(server.url, transport);
        const answers = [
          [],
          ["because"],
          [1, { list: [null] }],
          [Buffer.from([0, 255]), { deep: [Buffer.alloc(3)] }],
        ];
        for (const answer of answers) {
          socket.once("question", (text: string, bytes: Buffer, ack: (...args: unknown[]) => void) => {
            assert.deepEqual([text, bytes], ["why?", Buffer.from([1, 2, 3])]);
            ack(...answer);
          });
          const heardBack = new Promise<unknown[]>((resolve) => {
            socket.emit("ask", (...args: unknown[]) => {
              resolve(args);
            });
          });
          assert.deepEqual(await within(10_000, "the answer to the answer", heardBack), answer);
        }
      });

      test("sends a burst at once and has it answered in order", async () => {
        const socket = await connected(server.url, transport);
        const numbers = Array.from({ length: 1_000 }, (_, number) => number);
        const back: number[] = [];
        const done = new Promise<void>((resolve) => {
          socket.on("message-back", (number: number) => {
            if (back.push(number) === numbers.length) resolve();
          });
        });
        for (const number of numbers) socket.emit("message", number);
        await within(10_000, "all 1,000 back", done);
        assert.deepEqual(back, numbers);
      });

      test("what it emits in the moment it connects is not lost", async () => {
        const socket = client(server.url, transport);
        const back = heard(socket, "message-back");
        socket.emit("message", "buffered until connected");
        await connect(socket);
        assert.deepEqual(await back, ["buffered until connected"]);
      });

      test("carries a message of 900 kB each way", async () => {
        const socket = await connected(server.url, transport);
        // Base64 makes a third more of it, and both fit maxPayload.
        const bytes = Buffer.alloc(700_000, "abc");
        const text = "x".repeat(900_000);
        assert.equal(await ask(socket, "echo", text), text);
        assert.deepEqual(await ask(socket, "echo", bytes), bytes);
      });

      test("joins two namespaces over one session", async () => {
        const main = await connected(server.url, transport);
        const custom = main.io.socket("/custom");
        await connect(custom);
        assert.notEqual(main.id, custom.id);
        assert.equal(await ask(custom, "echo", "custom"), "custom");
        custom.disconnect();
        assert.equal(await ask(main, "echo", "main"), "main");
      });

      test("is told that a namespace does not exist", async () => {
        const socket = client(`${server.url}/random`, transport);
        await assert.rejects(connect(socket), { message: "Invalid namespace" });
      });

      test("disconnects, and connects again with another id", async () => {
        const socket = await connected(server.url, transport);
        const { id } = socket;
        const reason = heard(socket, "disconnect");
        socket.disconnect();
        assert.equal((await reason)[0], "io client disconnect");
        await connect(socket);
        assert.notEqual(socket.id, id);
        assert.equal(await ask(socket, "echo", 1), 1);
      });
    });
  }

  test("upgrades from polling while it talks, with nothing lost, doubled or reordered", async () => {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => connectedAnyhow(server.url)));
    await Promise.all(
      sockets.map(async (socket) => {
        const back: number[] = [];
        socket.on("message-back", (number: number) => back.push(number));
        const asked: Promise<unknown>[] = [];
        let sent = 0;
        while (socket.io.engine.transport.name === "polling" || sent < 200) {
          socket.emit("message", sent);
          sent += 1;
          if (sent % 5 === 0) {
            asked.push(ask(socket, "echo", sent));
            await asked.at(-1);
          }
        }
        await upgraded(socket);
        await ask(socket, "echo", "last");
        assert.deepEqual(
          back,
          Array.from({ length: sent }, (_, number) => number),
        );
      }),
    );
  });
});

/** Connected, and not waiting for the upgrade. */
async function connectedAnyhow(url: string): Promise<Client> {
  const socket = client(url, "upgrade");
  await connect(socket);
  return socket;
}
