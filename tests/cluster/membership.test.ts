import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, closeClients, connected } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { ClusterNode, freeNodePorts, loopback, type NodeConfig } from "../harness/node.ts";
import { freePort } from "../harness/ports.ts";
import { testbed } from "../harness/programs.ts";
import { within } from "../harness/wait.ts";

const SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER_SECRET = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/** Gossip goes round many times in this time: whoever would be let in is in by then. */
const LONG_ENOUGH_TO_JOIN = 3_000;

const started: ClusterNode[] = [];

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
  return node;
}

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
    const heard = await within(5_000, "a message to reach every node", Promise.all(arrivals));
    assert.deepEqual(
      heard,
      sockets.map(() => speaker.id),
    );
  }
}
