import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, client, closeClients, connect, connected } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { EngineSocket, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { testbed } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";

/*
 * What one session may ask for: over it clients are held back or told, and others are served as before.
 */

const PACKETS_PER_SECOND = 400;
/** As many are taken at once. */
const PACKET_BURST = 2 * PACKETS_PER_SECOND;
/** As many are taken at once. */
const BYTES_PER_SECOND = 200_000;
const ROOMS = 3;

/** How long what is more than a burst is to be held back, in seconds of its rate. */
const SECONDS = 2;
/** Of that a little is spent already before the first answer is seen. */
const LEAST_MS = SECONDS * 1_000 - 300;

interface Excess {
  /** How many packets, and of how many bytes. */
  packets: number;
  bytes: number;
}

const excesses: Record<string, Excess> = {
  packets: { packets: PACKET_BURST + SECONDS * PACKETS_PER_SECOND, bytes: 1 },
  bytes: { packets: 30, bytes: ((1 + SECONDS) * BYTES_PER_SECOND) / 30 },
};

type Speak = (url: string, packets: readonly string[]) => Promise<string[]>;

/** Says all of it at once, and gives the answers: as many as there are packets. */
const speakers: Record<string, Speak> = {
  WebSocket: async (url, packets) => {
    using socket = await connectedSocket(url);
    for (const packet of packets) socket.send(packet);
    return (await socket.take(packets.length)).map(String);
  },
  polling: async (url, packets) => {
    using session = await PollingSession.open(url);
    await session.push("40");
    await session.take(2);
    const pushed = session.push(packets.join(SEPARATOR));
    const answers = await session.take(packets.length);
    assert.equal((await pushed).status, 200);
    return answers;
  },
};

/** A WebSocket that is connected to the main namespace. */
async function connectedSocket(url: string): Promise<EngineSocket> {
  const socket = await EngineSocket.start(url);
  socket.send("40");
  await socket.take(2);
  return socket;
}

describe("what one session may ask for", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({
      program: testbed(),
      size: 3,
      flags: {
        placement: "spread",
        recovery: "2m",
        maxPacketsPerSession: PACKETS_PER_SECOND,
        maxBytesPerSession: BYTES_PER_SECOND,
        maxRoomsPerSocket: ROOMS,
        maxNamespacesPerSession: 1,
      },
    });
  });
  afterEach(closeClients);
  after(() => cluster.destroy());

  /** How often nodes have held a session back. */
  const throttled = async () => {
    const statuses = await Promise.all(cluster.nodes.map((node) => node.status()));
    return statuses.reduce((sum, { sessions }) => sum + sessions.throttled, 0);
  };

  for (const [what, { packets: count, bytes }] of Object.entries(excesses)) {
    for (const [how, speak] of Object.entries(speakers)) {
      test(`more ${what} over ${how} are held back, all are answered in order, and others do not wait`, async () => {
        const before = await throttled();
        const other = await connected(cluster.node(1).url, "websocket");
        const text = "x".repeat(bytes);
        const said = Array.from(
          { length: count },
          (_, number) => `42${number}["message-with-ack","${text}"]`,
        );
        const began = performance.now();
        let isDone = false;
        const spoken = speak(`${cluster.node(1).url}/socket.io/`, said).finally(() => (isDone = true));
        for (let number = 0; number < 10; number += 1) assert.equal(await ask(other, "echo", number), number);
        assert.ok(!isDone, "others are answered before the one that is held back");
        const answers = await spoken;
        const took = performance.now() - began;
        assert.deepEqual(
          answers,
          said.map((_, number) => `43${number}["${text}"]`),
        );
        assert.ok(took >= LEAST_MS, `taken within ${took.toFixed(0)} ms`);
        assert.ok((await throttled()) > before, "it is counted");
      });
    }
  }

  test("what is held back is taken in good parts, so that each costs nodes little", async () => {
    using socket = await connectedSocket(`${cluster.node(1).url}/socket.io/`);
    const held = SECONDS * PACKETS_PER_SECOND;
    const count = PACKET_BURST + held;
    const before = await throttled();
    for (let number = 0; number < count; number += 1) socket.send(`42${number}["message-with-ack"]`);
    assert.equal((await socket.take(count)).at(-1), `43${count - 1}[]`);
    const waits = (await throttled()) - before;
    // A 20th of a second's each, and the last one.
    assert.ok(waits > 0 && waits <= 20 * SECONDS + 1, `it had to wait ${waits} times`);
  });

  test("one room more is an error for who joins it, and for nobody else", async () => {
    const [full, other] = await Promise.all([
      connected(cluster.node(1).url, "websocket"),
      connected(cluster.node(2).url, "polling"),
    ]);
    const rooms = ["tea", "cake", "jam"];
    assert.equal(rooms.length, ROOMS);
    for (const room of rooms) await ask(full, "join", room);
    const refused = (await ask(full, "join", "milk")) as { error: string };
    assert.deepEqual(refused, { error: `a socket may be in ${ROOMS} rooms, and this one is` });
    // It is in the others, and may join again what it has joined.
    await ask(full, "join", "tea");
    await ask(other, "join", "milk");
    const heard: unknown[] = [];
    full.on("message", (room: string) => heard.push(room));
    for (const room of ["milk", ...rooms]) await ask(other, "publish", room, "hello");
    await until("all rooms are heard", () => heard.length >= ROOMS);
    assert.deepEqual(heard, rooms);
    await ask(full, "leave", "tea");
    assert.equal(await ask(full, "join", "milk"), undefined);
  });

  test("one namespace more is refused, and the first is served as before", async () => {
    const main = await connected(cluster.node(1).url, "websocket");
    const more = main.io.socket("/custom");
    await assert.rejects(connect(more), { message: "Too many namespaces" });
    assert.equal(await ask(main, "echo", 1), 1);
    // It is no matter which, and another client has its own.
    const other = client(`${cluster.node(2).url}/custom`, "polling");
    await connect(other);
    assert.equal(await ask(other, "echo", 2), 2);
  });
});
