import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../harness/cluster.ts";
import { Companion } from "../harness/companion.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import type { Uploads } from "./uploaders.ts";

/*
 * Clients that upload while their node does not run for a moment, as on a busy machine. When it goes on it asks the others whether
 * they declared it dead, and what was uploaded must not keep their answers from it.
 */

/** A third of them, whose sessions it owns, have more on the way to it than a link takes, which is 4 MiB. */
const CLIENTS = 40;
const BODY = 900_000;
const UPLOADING_MS = 3_000;

/** So long that it may have been declared dead, for all that it knows; not so long that it is. */
const PAUSE_MS = 1_000;
/** Where an answer never came, requests took 30 s. */
const ANSWERED_WITHIN_MS = 15_000;
const DONE_WITHIN_MS = 90_000;

describe("uploads to a node that was paused", () => {
  let cluster: Cluster;

  before(async () => {
    // They do not poll while they upload.
    const flags = { placement: "spread", pingInterval: 300_000 } as const;
    cluster = await Cluster.start({ program: testbed(), size: 3, flags });
  });
  after(() => cluster.destroy());

  test("do not keep it from going on", async () => {
    const [ingress, paused] = [cluster.node(1), cluster.node(2)];
    const logged = new Map(cluster.nodes.map((node) => [node, wholeLog(node).length]));
    const log = (node: ClusterNode) => wholeLog(node).slice(logged.get(node));
    const uploaders = new Companion(new URL("./uploaders.ts", import.meta.url), [
      ...[CLIENTS, BODY, UPLOADING_MS].map(String),
      ingress.url,
    ]);
    const uploads = uploaders.ask<Uploads>(DONE_WITHIN_MS);
    await until("uploads are under way", () => / push .* owner=node2 bytes=9\d{5}$/m.test(log(ingress)));
    await paused.child.freeze();
    await sleep(PAUSE_MS);
    paused.child.signal("SIGCONT");
    const { statuses, slowest } = await uploads;
    console.log(
      `uploads to a paused node: ${JSON.stringify(statuses)}, the slowest took ${Math.round(slowest)} ms`,
    );
    await until("the pause was long enough to be noticed", () =>
      log(paused).includes("this node was paused; asking the others"),
    );
    assert.ok(slowest < ANSWERED_WITHIN_MS, `an upload took ${Math.round(slowest)} ms`);
    assert.equal(await uploaders.ask<number>(DONE_WITHIN_MS), CLIENTS, "all are still served");
    await uploaders.end();
  });
});

function wholeLog({ child }: ClusterNode): string {
  return readFileSync(child.logPath, "utf8");
}
