import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { Cluster } from "../harness/cluster.ts";
import { PollingSession } from "../harness/engine.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";

const lines = (node: ClusterNode) => readFileSync(node.child.logPath, "utf8").trimEnd().split("\n");

describe("whoever tails the logs of three nodes", () => {
  let cluster: Cluster;
  let scatter: Scatter;

  afterEach(async () => {
    await scatter.stop();
    await cluster.destroy();
  });

  /** One session from its first request to its last, every request at another node. */
  async function oneSession(...options: string[]): Promise<string> {
    const { command, leadingArgs } = testbed();
    const program = { command, leadingArgs: [...leadingArgs, ...options] };
    const prefix = options.length === 0 ? "plain-" : "json-";
    cluster = await Cluster.start({ program, size: 3, prefix, flags: { placement: "spread" } });
    scatter = await Scatter.start(() => cluster.urls);
    using session = await PollingSession.open(`${scatter.url}/engine.io/`);
    for (let number = 0; number < 6; number += 1) {
      await session.push(`4${number}`);
      await session.take(1);
    }
    using socket = await session.upgrade();
    socket.send("4last words");
    await socket.next();
    await socket.close();
    // Ended in an orderly way, so that the last lines are written, too.
    await Promise.all(cluster.nodes.map((node) => node.stop()));
    return session.sid;
  }

  test("sees by one-line entries which node received what, which owns the session, and how the cluster came about", async () => {
    const sid = await oneSession();
    const logs = cluster.nodes.map((node) => ({ name: node.name, log: lines(node) }));
    for (const { name, log } of logs) {
      for (const line of log)
        assert.ok(line.startsWith(`${name} `), `this line does not begin with its node: ${line}`);
    }
    const everything = logs.flatMap(({ log }) => log);
    // A whole session id is as good as a password, so logs show its beginning only.
    assert.ok(!everything.some((line) => line.includes(sid)), "a whole session id is in the logs");
    const about = new RegExp(`(?:sid|session)=${sid.slice(0, 6)}`);
    const nodesThatSay = (what: RegExp) =>
      logs
        .filter(({ log }) => log.some((line) => about.test(line) && what.test(line)))
        .map(({ name }) => name);

    assert.equal(nodesThatSay(/connection by polling/).length, 1);
    for (const request of [/ poll /, / push /]) {
      assert.deepEqual(
        nodesThatSay(request),
        cluster.nodes.map(({ name }) => name),
        `requests: ${String(request)}`,
      );
    }
    assert.equal(nodesThatSay(/WebSocket sid/).length, 1);
    const [owner] = nodesThatSay(/session starts/);
    assert.deepEqual(nodesThatSay(/session starts/), [owner]);
    assert.deepEqual(nodesThatSay(/session ends.*reason=/), [owner]);
    for (const what of [/member joining/, /member up/, /shards change owner from=\S+ to=\S+ shards=\d+/]) {
      assert.ok(
        everything.some((line) => what.test(line)),
        `no line says ${String(what)}`,
      );
    }
  });

  test("may have them as JSON, with the node in every line", async () => {
    await oneSession("--log-format", "json");
    for (const node of cluster.nodes) {
      for (const line of lines(node)) {
        const entry = JSON.parse(line) as Record<string, unknown>;
        assert.equal(entry["node"], node.name, line);
      }
    }
  });
});
