import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Hosts, whyNoHosts } from "../faults/hosts.ts";
import { Cluster } from "../harness/cluster.ts";
import { Companion } from "../harness/companion.ts";
import { forgetPeak, peakBytes } from "../harness/costs.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import type { Uploads } from "./uploaders.ts";

/*
 * Clients that upload as fast as they can, while the links of one node carry less than that. The clients are held back. No link is
 * cut, and no session is lost.
 */

/** Together more than may wait at a link before it is cut, which is 64 MiB, if nobody were held back. */
const CLIENTS = 120;
const BODY = 900_000;

const UPLOADING_MS = 2_000;
const BYTES_PER_SECOND = 12_000_000;
/** Until the last has been answered: what a request takes at most is 30 s. */
const DONE_WITHIN_MS = 60_000;

/** What bodies (64 MiB), and what waits at two links (12 MiB each) may take, with as much again for copies of it. */
const MEMORY = 256 << 20;

describe("mass uploads while the links of one node are slow", { skip: whyNoHosts() }, () => {
  let hosts: Hosts;
  let cluster: Cluster;

  before(async () => {
    const program = testbed();
    hosts = await Hosts.prepare({ count: 3, relayed: true });
    // They do not poll while they upload.
    const flags = { placement: "spread", pingInterval: 300_000 } as const;
    const place = (number: number) => hosts.place(number);
    cluster = await Cluster.prepare({ program, size: 3, flags, prefix: "slow-", place });
    for (const node of cluster.nodes) node.start();
    await cluster.settled();
  });
  after(async () => {
    await cluster.destroy();
    hosts.remove();
  });

  test("hold clients back, and cut no link", async () => {
    const urls = cluster.urls.slice(0, 2);
    const uploaders = new Companion(new URL("./uploaders.ts", import.meta.url), [
      ...[CLIENTS, BODY, UPLOADING_MS].map(String),
      ...urls,
    ]);
    const log = (node: ClusterNode) => readFileSync(node.child.logPath, "utf8");
    const logged = cluster.nodes.map((node) => log(node).length);
    cluster.nodes.forEach(forgetPeak);
    hosts.inflict({ kind: "narrow", node: 3, rate: BYTES_PER_SECOND });
    const { statuses, slowest } = await uploaders.ask<Uploads>(DONE_WITHIN_MS);
    hosts.inflict({ kind: "heal" });
    const peak = Math.max(...cluster.nodes.map(peakBytes));
    console.log(
      `uploads by slow links: ${JSON.stringify(statuses)}, the slowest took ${Math.round(slowest)} ms; ` +
        `at most ${peak >> 20} MiB of memory`,
    );
    // 503 says that the node holds as many bodies as it may, or that this one was not handled in time.
    const { 200: taken = 0, 503: refused = 0, ...others } = statuses;
    assert.deepEqual(others, {});
    assert.ok(taken > 0 && taken + refused >= CLIENTS, "some uploads get through");
    assert.ok(slowest > 1_000, "nobody was held back: this was no slow link");
    assert.ok(peak < MEMORY, `${peak} bytes of memory`);
    assert.equal(await uploaders.ask<number>(DONE_WITHIN_MS), CLIENTS, "all are still served");
    for (const [at, node] of cluster.nodes.entries()) {
      assert.doesNotMatch(log(node).slice(logged[at]), /link down/, `${node.name} lost a link`);
    }
    await uploaders.end();
  });
});
