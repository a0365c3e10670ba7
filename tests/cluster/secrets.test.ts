import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";

const READ_AGAIN = /cluster secrets read again/g;

describe("the secret of a cluster is exchanged while people chat", () => {
  let folder: string;
  let cluster: Cluster;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "hither-secrets-"));
    cluster = await Cluster.prepare({ program: testbed(), size: 3 });
    for (const node of cluster.nodes) node.config.flags = { secretFile: file(node) };
  });

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
    await rm(folder, { recursive: true });
  });

  const file = (node: ClusterNode) => path.join(folder, node.name);
  const log = (node: ClusterNode) => readFileSync(node.child.logPath, "utf8");
  const give = (node: ClusterNode, ...secrets: string[]) => writeFile(file(node), secrets.join("\n"));

  /** One after the other, as an operator would, or a tool: each reads its file by itself. */
  async function round(...secrets: string[]): Promise<void> {
    for (const node of cluster.nodes) {
      const before = [...log(node).matchAll(READ_AGAIN)].length;
      await give(node, ...secrets);
      await until(
        `${node.name} has read its file`,
        () => [...log(node).matchAll(READ_AGAIN)].length > before,
      );
    }
  }

  test("nobody is interrupted, nothing is lost, and then the old one opens nothing any more", async () => {
    const [former, next] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
    for (const node of cluster.nodes) {
      await give(node, former);
      node.start();
    }
    await cluster.settled();
    const kinds = Object.keys(transports) as Transport[];
    const seats = cluster.urls.flatMap((url) =>
      kinds.map((transport) => ({ url, transport, rooms: ["everyone"] })),
    );
    // Before the last round, sessions that poll begin under the new secret, as all do in a cluster that waits long enough.
    await round(former, next);
    await round(next, former);
    const crowd = await Crowd.gather(testbedDialect, seats);
    const talk = crowd.keepTalking(100);
    await round(former, next);
    await round(next, former);
    await round(next);
    await until("links are made with the new secret", () =>
      cluster.nodes.every((node) => log(node).lastIndexOf("link up") > log(node).lastIndexOf("link down")),
    );
    await cluster.settled();
    await talk.stop();
    await crowd.verify();
    for (const member of crowd.members) assert.deepEqual(member.absences, [], member.name);
    assert.deepEqual(crowd.failures, []);

    const [first] = cluster.nodes;
    assert.ok(first);
    await first.kill();
    await give(first, former);
    first.start();
    await until("the others refuse it", () =>
      cluster.nodes.slice(1).some((node) => log(node).includes("does not know the cluster secret")),
    );
    // Its former life counts as up until it is declared dead.
    await until(
      "the others go on without it",
      async () => !(await cluster.node(2).membersUp()).includes(first.name),
    );
  });
});
