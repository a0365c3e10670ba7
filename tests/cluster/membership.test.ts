import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, closeClients, connected } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { ClusterNode, freeNodePorts, loopback, type NodeConfig } from "../harness/node.ts";
import { freePort } from "../harness/ports.ts";
import { testbed } from "../harness/programs.ts";
import { send } from "../harness/http.ts";
import { until, within } from "../harness/wait.ts";

const SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER_SECRET = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/** Gossip goes round many times in this time: whoever would be let in is in by then. */
const LONG_ENOUGH_TO_JOIN = 3_000;

const started: ClusterNode[] = [];
const logBegins = new Map<ClusterNode, number>();

afterEach(async () => {
  closeClients();
  await Promise.all(started.splice(0).map((node) => node.kill()));
});

async function start(name: string, seeds: string[], config: Partial<NodeConfig> = {}): Promise<ClusterNode> {
  const node = new ClusterNode(
    { name, program: testbed(), seeds, flags: {}, secret: SECRET, ...config },
    await freeNodePorts(),
  );
  started.push(node);
  node.start();
  // Nodes of other tests have had the same name, and write to the same file.
  const file = node.child.logPath;
  logBegins.set(node, existsSync(file) ? statSync(file).size : 0);
  return node;
}

/** What a node has logged since its start. */
const log = (node: ClusterNode) =>
  readFileSync(node.child.logPath)
    .subarray(logBegins.get(node) ?? 0)
    .toString();

describe("a node", () => {
  test("without a seed is a cluster of one, and serves", async () => {
    const node = await start("alone", []);
    await node.sees(["alone"]);
    const { node: name, phase } = await node.status();
    assert.deepEqual({ name, phase }, { name: "alone", phase: "up" });
    const socket = await connected(node.url, "upgrade");
    assert.equal(await ask(socket, "echo", 1), 1);
  });

  test("whose only seed is down serves, and is found by the seed when that comes up", async () => {
    const ports = await freeNodePorts();
    const first = await start("first", [loopback(ports.cluster)]);
    await first.sees(["first"], { within: 20_000 });
    const late = new ClusterNode(
      { name: "late", program: testbed(), seeds: [], flags: {}, secret: SECRET },
      ports,
    );
    started.push(late);
    late.start();
    await Promise.all([first, late].map((node) => node.sees(["first", "late"], { within: 20_000 })));
  });

  test("may have itself as a seed, and seeds by DNS name", async () => {
    const ports = await freeNodePorts();
    const seeds = [loopback(ports.cluster)];
    const first = new ClusterNode(
      { name: "first", program: testbed(), seeds, flags: {}, secret: SECRET },
      ports,
    );
    started.push(first);
    first.start();
    const second = await start("second", [`localhost:${ports.cluster}`]);
    await Promise.all([first, second].map((node) => node.sees(["first", "second"])));
  });

  test("with one seed of several alive joins through that", async () => {
    const first = await start("first", []);
    const dead = [loopback(await freePort()), loopback(await freePort())];
    const second = await start("second", [...dead, first.clusterAddress]);
    await Promise.all([first, second].map((node) => node.sees(["first", "second"])));
  });

  test("with another secret is not let in, and lets nobody in", async () => {
    const first = await start("first", []);
    const second = await start("second", [first.clusterAddress]);
    await Promise.all([first, second].map((node) => node.sees(["first", "second"])));
    const stranger = await start("stranger", [first.clusterAddress, second.clusterAddress], {
      secret: OTHER_SECRET,
    });
    await stranger.sees(["stranger"], { within: 20_000 });
    await sleep(LONG_ENOUGH_TO_JOIN);
    assert.deepEqual(await first.membersUp(), ["first", "second"]);
    assert.deepEqual(await second.membersUp(), ["first", "second"]);
    assert.deepEqual(await stranger.membersUp(), ["stranger"]);
  });

  test("without a secret is not let in by those that have one", async () => {
    const first = await start("first", []);
    await first.sees(["first"]);
    const stranger = await start("stranger", [first.clusterAddress], { secret: undefined });
    await stranger.sees(["stranger"], { within: 20_000 });
    await sleep(LONG_ENOUGH_TO_JOIN);
    assert.deepEqual(await first.membersUp(), ["first"]);
  });

  test("without a secret talks to others on loopback", async () => {
    const first = await start("first", [], { secret: undefined });
    const second = await start("second", [first.clusterAddress], { secret: undefined });
    await Promise.all([first, second].map((node) => node.sees(["first", "second"])));
  });
});

describe("a seed that speaks other versions of the wire format", () => {
  test("keeps a node from starting, which says what both speak", async () => {
    const seed = net.createServer((socket) => {
      socket.on("error", () => undefined);
      // As a node of a build that does not fit does: its preface, and no more.
      socket.once("data", () => socket.end(Buffer.from("hither\0\x04\0\x05\0\x04", "latin1")));
    });
    const port = await freePort();
    await new Promise<void>((resolve) => seed.listen(port, "127.0.0.1", resolve));
    try {
      const node = await start("foreign", [loopback(port)]);
      const { code } = await within(30_000, "it gives up", node.child.exited);
      assert.equal(code, 1);
      const said = node.child.lastLines.join("\n");
      assert.match(
        said,
        new RegExp(`versions of this node are 3-3:3, those of the seed at ${loopback(port)} 4-5:4`),
      );
      assert.doesNotMatch(said, /this node is up/);
    } finally {
      seed.close();
    }
  });
});

describe("two nodes of one name", () => {
  test("under a supervisor: the later one refuses to start while the first lives, and the first is left alone", async () => {
    const first = await start("first", []);
    const twin = await start("twin", [first.clusterAddress]);
    await Promise.all([first, twin].map((node) => node.sees(["first", "twin"])));
    const socket = await connected(twin.url, "websocket");
    const later = new ClusterNode({ ...twin.config, seeds: [first.clusterAddress] }, await freeNodePorts());
    started.push(later);
    for (let times = 0; times < 3; times += 1) {
      later.start();
      const { code } = await within(30_000, "the later one gives up", later.child.exited);
      assert.equal(code, 1);
      const said = later.child.lastLines.join("\n");
      assert.match(
        said,
        /another node of this name lives at 127\.0\.0\.1:\d+.*give each node a name of its own/,
      );
      assert.doesNotMatch(said, /this node is up/);
    }
    assert.ok(first.isRunning && twin.isRunning);
    await Promise.all([first, twin].map((node) => node.sees(["first", "twin"])));
    assert.equal(await ask(socket, "echo", "still there"), "still there");
    await until("the first twin says so", () =>
      log(twin).includes("another node tries to join under this node's name"),
    );
    assert.doesNotMatch(log(first), /member lost/);
    // When the first has ended, its name is free.
    await twin.kill();
    later.start();
    await Promise.all([first, later].map((node) => node.sees(["first", "twin"], { within: 20_000 })));
  });
});

describe("a node says of each seed that it does not find, again and again, what keeps it away", () => {
  test("UDP does not get through", async () => {
    const first = await start("first", []);
    await first.sees(["first"]);
    const relay = net.createServer((near) => {
      const far = net.connect(first.ports.cluster, "127.0.0.1");
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on("error", () => undefined);
    });
    const port = await freePort();
    await new Promise<void>((resolve) => relay.listen(port, "127.0.0.1", resolve));
    try {
      const cutOff = await start("cut-off", [loopback(port)]);
      await until("it says so", () =>
        new RegExp(`first answers there over TCP.*UDP port ${port}.*`).test(log(cutOff)),
      );
      assert.match(log(cutOff), new RegExp(`seed=.?${loopback(port)}`));
    } finally {
      relay.close();
    }
  });

  test("it has another secret", async () => {
    const first = await start("first", []);
    await first.sees(["first"]);
    const stranger = await start("stranger", [first.clusterAddress], { secret: OTHER_SECRET });
    await until("it says so", () =>
      /seed is there, and no member.*it has another cluster secret/.test(log(stranger)),
    );
  });

  test("it is down, or no node", async () => {
    const web = net.createServer((socket) => {
      // What was sent to it and is not read resets the connection.
      socket.on("error", () => undefined);
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const [down, port] = [await freePort(), await freePort()];
    await new Promise<void>((resolve) => web.listen(port, "127.0.0.1", resolve));
    try {
      const node = await start("alone", [loopback(down), loopback(port)], { flags: { unreadyAlone: true } });
      await until("it says so", () =>
        [
          /seed is not there.*cannot be reached over TCP/,
          /seed is there, and no member.*no Hither node/,
        ].every((line) => line.test(log(node))),
      );
    } finally {
      web.close();
    }
  });

  test("and is not ready while it is alone, if it is told so", async () => {
    const ports = await freeNodePorts();
    const node = await start("alone", [loopback(ports.cluster)], { flags: { unreadyAlone: true } });
    const health = async () => send(`${node.url}/health`);
    await until("it is up", async () => (await health()).text === "alone although it has seeds\n", {
      within: 20_000,
    });
    assert.equal((await health()).status, 503);
    assert.equal((await node.status()).phase, "up");
    const late = new ClusterNode({ ...node.config, name: "late", seeds: [], flags: {} }, ports);
    started.push(late);
    late.start();
    await until("it has company", async () => (await health()).status === 200, { within: 20_000 });
  });
});

describe("three nodes", () => {
  for (const order of [
    [1, 2, 3],
    [3, 1, 2],
    [2, 3, 1],
  ]) {
    test(`started one after the other in the order ${order.join(", ")} find each other`, async () => {
      const cluster = await Cluster.prepare({ program: testbed(), size: 3 });
      started.push(...cluster.nodes);
      for (const number of order) {
        cluster.node(number).start();
        await cluster.settled();
      }
      await talkAcross(cluster);
    });
  }

  test("started at once find each other, and a killed one is missed and let in again", async () => {
    const cluster = await Cluster.start({ program: testbed(), size: 3 });
    started.push(...cluster.nodes);
    for (const number of [1, 2, 3]) {
      await cluster.node(number).kill();
      await cluster.settled();
      cluster.node(number).start();
      await cluster.settled();
    }
    await talkAcross(cluster);
  });

  test("all killed and started again are a cluster again", async () => {
    const cluster = await Cluster.start({ program: testbed(), size: 3 });
    started.push(...cluster.nodes);
    await cluster.destroy();
    for (const node of cluster.nodes) node.start();
    await cluster.settled();
    await talkAcross(cluster);
  });
});

/** A room reaches over all nodes. */
async function talkAcross(cluster: Cluster): Promise<void> {
  const sockets = await Promise.all(cluster.urls.map((url) => connected(url, "websocket")));
  for (const socket of sockets) await ask(socket, "join", "tea");
  for (const speaker of sockets) {
    const arrivals = sockets.map(
      (socket) =>
        new Promise((resolve) =>
          socket.once("message", (_room: string, payload: unknown) => {
            resolve(payload);
          }),
        ),
    );
    await ask(speaker, "publish", "tea", speaker.id);
    const heard = await within(10_000, "a message to reach every node", Promise.all(arrivals));
    assert.deepEqual(
      heard,
      sockets.map(() => speaker.id),
    );
  }
}
