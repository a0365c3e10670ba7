import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { closeClients } from "../harness/client.ts";
import { Crowd } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import type { ClusterNode } from "../harness/node.ts";
import { until, within } from "../harness/wait.ts";
import { Scene } from "./scene.ts";

/** As many as kept a node from joining in the review, for each node. */
const SILENT = 250;
/** Of each node: datagrams, and connections that say what is no greeting. */
const JUNK = 2_000;
const WRONG_GREETINGS = 200;

const RECORDING_MS = 2_500;
const REPLAYING_MS = 3_000;

/** The first bytes of a greeting; then comes the length of the first message, and the message. */
const PREFACE = Buffer.from("hither\0\x03\0\x03\0\x03", "latin1");
/** The longest that a greeting is answered with to who does not know the secret: a preface and one message. */
const LONGEST_ANSWER = PREFACE.length + 2 + 128;

describe("a stranger on the network between the nodes", () => {
  let scene: Scene;
  let crowd: Crowd;

  before(async () => {
    scene = await Scene.prepare();
    const seats = scene.cluster.urls.flatMap((url) => [
      { url, transport: "websocket" as const, rooms: ["everyone"] },
      { url, transport: "polling" as const, rooms: ["everyone"] },
    ]);
    crowd = await Crowd.gather(testbedDialect, seats);
  });
  after(async () => {
    closeClients();
    await scene.end();
  });

  test("who holds connections and floods both ports keeps nobody out, and costs little", async () => {
    const talk = crowd.keepTalking(200);
    const costs = await scene.attack("silence and junk at the cluster ports", async () => {
      const silent = new Silent(scene.nodes);
      try {
        await silent.areThere();
        const fourth = await scene.cluster.add();
        await fourth.sees(["node1", "node2", "node3", "node4"]);
        await Promise.all(scene.nodes.map(flood));
      } finally {
        silent.leave();
      }
    });
    assert.ok(costs.memory < 48 * 1024 * 1024, "what strangers say was kept");
    await scene.isUnharmed(costs);
    await talk.stop();
  });

  test("what was recorded is worth nothing, played back to whomever, a node that has just started too", async () => {
    const talk = crowd.keepTalking(200);
    const [victim, others] = [scene.cluster.node(4), scene.nodes.slice(0, 3)];
    await victim.kill();
    // Others go on talking to a node that is gone, and the stranger has its address meanwhile.
    const recording = await Recording.of(victim, RECORDING_MS);
    assert.ok(recording.datagrams.length > 0, "no gossip was recorded");
    assert.ok(recording.greetings.length > 0, "no greeting was recorded");

    victim.start();
    const [joined] = await Promise.all([scene.cluster.settled(), recording.playBackTo(scene.nodes)]);
    assert.equal(joined, undefined);
    await scene.cluster.settled();
    await talk.stop();
    await crowd.verify();

    for (const member of crowd.members) assert.deepEqual(member.absences, [], member.name);
    for (const node of others) {
      const log = readFileSync(node.child.logPath, "utf8");
      assert.doesNotMatch(log, /member (joining|up).* node=(?!node[1-4] )/, "a stranger became a member");
      assert.doesNotMatch(log, /member lost.* node=(?!node4 )/, "a member that lives was silenced");
      assert.doesNotMatch(log, /link down.* peer=(?!node4 )/, "a link of others was cut");
    }
  });
});

/** Connections that say nothing, each opened again when it is closed. */
class Silent {
  readonly #sockets = new Set<net.Socket>();
  #left = false;
  #opened = 0;

  constructor(nodes: readonly ClusterNode[]) {
    for (const node of nodes) for (let count = 0; count < SILENT; count += 1) this.#open(node);
  }

  async areThere(): Promise<void> {
    await until("all are connected", () => this.#opened >= SILENT);
  }

  leave(): void {
    this.#left = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(node: ClusterNode): void {
    const socket = net.connect({ port: node.ports.cluster, host: "127.0.0.1" });
    this.#sockets.add(socket);
    socket.once("connect", () => (this.#opened += 1));
    // How it ends does not matter.
    socket.on("error", () => undefined);
    socket.resume();
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (!this.#left) this.#open(node);
    });
  }
}

/** Sends what is of no node to both ports. */
async function flood(node: ClusterNode): Promise<void> {
  const { cluster: port } = node.ports;
  const udp = dgram.createSocket("udp4");
  for (let count = 0; count < JUNK; count += 1) {
    const junk = randomBytes(1 + ((count * 37) % 1400));
    // The version of the format, so that more of it is looked at.
    junk[0] = count % 2 ? 3 : (junk[0] ?? 0);
    udp.send(junk, port, "127.0.0.1");
    if (count % 100 === 0) await sleep(1);
  }
  const length = (bytes: number) => Buffer.from([bytes >> 8, bytes & 0xff]);
  const greetings = [
    // Ten bytes ended a node once.
    Buffer.alloc(10, 0xff),
    Buffer.concat([PREFACE, length(0xffff), Buffer.alloc(4096, 0xff)]),
    Buffer.concat([PREFACE, length(48), randomBytes(48), length(200), randomBytes(200)]),
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  ];
  for (let count = 0; count < WRONG_GREETINGS; count += 1) {
    const answer = await say(port, greetings[count % greetings.length] ?? PREFACE);
    assert.ok(answer.length <= PREFACE.length, `a stranger was told ${answer.length} bytes`);
  }
  udp.close();
}

/** Says this on a connection of its own, and gives what is answered until the other side closes. */
async function say(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  const answer: Buffer[] = [];
  socket.on("data", (chunk) => answer.push(chunk));
  // A reset is an end like any other, which `once` would take for a failure.
  socket.on("error", () => undefined);
  const closed = new Promise<unknown>((resolve) => socket.once("close", resolve));
  socket.write(bytes);
  await within(10_000, "the other side closes", closed);
  return Buffer.concat(answer);
}

/** What members said to one that was gone. */
class Recording {
  readonly datagrams: Buffer[] = [];
  readonly greetings: Buffer[] = [];

  /** Takes the place of a node, records what comes, and sends all of it back to who sent it. */
  static async of(node: ClusterNode, milliseconds: number): Promise<Recording> {
    const recording = new Recording();
    const udp = dgram.createSocket("udp4");
    udp.on("message", (datagram, { port, address }) => {
      recording.datagrams.push(datagram);
      udp.send(datagram, port, address);
    });
    const sockets = new Set<net.Socket>();
    const tcp = net.createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", (greeting) => {
        recording.greetings.push(greeting);
        socket.write(greeting);
      });
    });
    udp.bind(node.ports.cluster, "127.0.0.1");
    tcp.listen(node.ports.cluster, "127.0.0.1");
    await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
    await sleep(milliseconds);
    for (const socket of sockets) socket.destroy();
    await Promise.all([once(tcp.close(), "close"), once(udp.close(), "close")]);
    return recording;
  }

  /** Sends all that was recorded to all nodes, again and again. */
  async playBackTo(nodes: readonly ClusterNode[]): Promise<void> {
    const udp = dgram.createSocket("udp4");
    const end = Date.now() + REPLAYING_MS;
    while (Date.now() < end) {
      for (const { ports } of nodes)
        for (const datagram of this.datagrams) udp.send(datagram, ports.cluster, "127.0.0.1");
      await sleep(50);
    }
    udp.close();
    for (const { ports } of nodes) {
      for (const greeting of this.greetings) {
        // What would follow, had it not been for the keys that are drawn for each connection.
        const answer = await say(ports.cluster, Buffer.concat([greeting, greeting]));
        assert.ok(answer.length <= LONGEST_ANSWER, `a recording was told ${answer.length} bytes`);
      }
    }
  }
}
