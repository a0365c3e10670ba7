import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { ask, closeClients, connected } from "../harness/client.ts";
import { descriptors } from "../harness/costs.ts";
import { until } from "../harness/wait.ts";
import { Scene } from "./scene.ts";

const run = promisify(execFile);

const SOCKETS = 20;
const MESSAGE = "x".repeat(100_000);
/** More than the session may have waiting for its client, with what the kernel takes beside it. */
const MESSAGES = 250;
/** What others are being answered may be on its way when one looks. */
const UNDER_WAY = 4_096;
/** From the end of the session. */
const GONE_WITHIN_MS = 2_000;

describe("WebSockets that take nothing", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare();
  });
  after(async () => {
    closeClients();
    await scene.end();
  });

  test("are gone within two seconds of the end of their sessions, and nothing of them stays with the kernel", async () => {
    const node = scene.cluster.node(1);
    const before = scene.nodes.map(descriptors);
    const speaker = await connected(node.url, "websocket");
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => joined(node.url, "firehose")));
    const costs = await scene.attack("WebSockets that take nothing", async () => {
      for (let said = 0; said < MESSAGES; said += 1) await ask(speaker, "publish", "firehose", MESSAGE);
      await until("their sessions ended", async () => (await overflows(scene)) >= SOCKETS);
      await until("their sockets gone", () => descriptors(node) <= (before[0] ?? 0) + 1, {
        within: GONE_WITHIN_MS,
      });
      const { stdout } = await run("ss", ["-tanH", `( sport = :${node.ports.http} )`]);
      const queued = stdout
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter(([state, , sendQueue]) => state !== "LISTEN" && Number(sendQueue) > UNDER_WAY);
      assert.deepEqual(queued, [], "the kernel keeps what they did not take");
    });
    for (const socket of sockets) socket.destroy();
    // Frames are shared: what was said, not that times the sockets.
    assert.ok(costs.memory < 4 * MESSAGES * MESSAGE.length, "they cost much");
    await scene.isUnharmed(costs);
  });
});

/** How many sessions were closed since their clients took nothing. */
async function overflows(scene: Scene): Promise<number> {
  const all = await Promise.all(scene.nodes.map((node) => node.status()));
  return all.reduce((sum, { sessions }) => sum + sessions.overflows, 0);
}

/** A client that joins a room and reads no more than it must for that. */
async function joined(url: string, room: string): Promise<net.Socket> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  let read = "";
  const hears = (text: string) =>
    until(`${text} heard`, () => {
      read += ((socket.read() as Buffer | null) ?? "").toString("latin1");
      return read.includes(text);
    });
  socket.write(frame("40"));
  await hears("40{");
  socket.write(frame(`420["join",${JSON.stringify(room)}]`));
  await hears("430[");
  // Nobody reads it any more.
  return socket;
}

/** A short text frame, masked with a mask that changes nothing. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}
