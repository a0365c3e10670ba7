// cluster.sh --front: a balancer in front of the nodes, with the file in deploy/.

import assert from "node:assert/strict";
import { get } from "node:http";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { Cluster, isHealthy, processesIn, until } from "./harness.mjs";

/**
 * A request on a connection of its own. One on a connection that was idle can meet its end: a balancer that reads its file
 * again closes those.
 */
const ask = (url) =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, resolve).once("error", reject);
  });

/** The nodes that answer `count` requests to the front. */
const answerers = async (cluster, count = 12) => {
  const names = new Set();
  for (let request = 0; request < count; request++) {
    const response = await ask(`${cluster.frontUrl}/status`);
    if (response.statusCode === 200) names.add((await json(response)).node);
    else names.add(`status ${response.resume().statusCode}`);
  }
  return [...names].sort();
};

for (const front of ["nginx", "haproxy"]) {
  test(`${front}: every node gets its turn, and none listens on the front port itself`, async (t) => {
    const cluster = await Cluster.create(t);
    const said = await cluster.do("start", "--front", front);
    assert.ok(
      said.includes(`front: http://localhost:${cluster.http}, ${front} (${await cluster.pid("front")})`),
    );
    assert.ok(!(await cluster.argumentsOf(1)).includes("--front"));
    assert.deepEqual(await answerers(cluster), ["node1", "node2", "node3"]);
  });

  test(`${front}: a node that is added gets its turn, one that is killed costs no request`, async (t) => {
    const cluster = await Cluster.create(t);
    await cluster.do("start", "2", "--front", front);
    const balancer = await cluster.pid("front");
    await cluster.do("add");
    const all = ["node1", "node2", "node3"];
    await until("the new node is asked", async () => `${await answerers(cluster)}` === `${all}`);
    assert.equal(await cluster.pid("front"), balancer);
    await cluster.do("kill", "2");
    assert.deepEqual(await answerers(cluster), ["node1", "node3"]);
    await cluster.do("restart", "2");
    await until("the restarted node is asked", async () => `${await answerers(cluster)}` === `${all}`);
  });

  test(`${front}: its workers do not outlive it when it is killed`, async (t) => {
    const cluster = await Cluster.create(t);
    await cluster.do("start", "1", "--front", front);
    process.kill(await cluster.pid("front"), "SIGKILL");
    await until("status shows it", async () => (await cluster.do("status")).includes(`${front} (down)`));
    await cluster.do("start", "1");
    assert.ok(await isHealthy(cluster.frontUrl));
    process.kill(await cluster.pid("front"), "SIGKILL");
    await cluster.do("stop");
    assert.deepEqual(await processesIn(cluster.run), []);
  });
}
