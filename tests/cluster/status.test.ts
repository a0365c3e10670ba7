import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Person } from "../chat/person.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherBinary, hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";

interface Told {
  node: string;
  members: { name: string; shards: number; sessions: { owned: number; attached: number } | null }[];
}

/** Runs `hither status` and gives what it printed and its exit code. */
function status(...args: string[]): Promise<{ code: number; out: string; complaint: string }> {
  return new Promise((resolve) => {
    execFile(hitherBinary(), ["status", ...args], (error, out, complaint) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, complaint });
    });
  });
}

describe("hither status", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
  });

  after(async () => {
    await cluster.destroy();
  });

  test("any node tells of all", async () => {
    const { adminUrl: url } = cluster.node(2);
    const guest = await Person.guest(cluster.node(1).url, "Ada", "websocket");
    const told = await until("node1 owns a session, as node2 tells", async () => {
      const told = JSON.parse((await status("--node", url, "--json")).out) as Told;
      return told.members[0]?.sessions?.owned === 1 && told;
    });
    assert.equal(told.node, "node2");
    assert.deepEqual(
      told.members.map(({ name }) => name),
      ["node1", "node2", "node3"],
    );
    assert.equal(told.members[0]?.sessions?.attached, 1);
    assert.equal(
      told.members.reduce((sum, { shards }) => sum + shards, 0),
      1024,
    );

    const { code, out } = await status("--node", url);
    const lines = out.split("\n");
    assert.equal(code, 0);
    assert.match(lines[0] ?? "", /^NODE +PHASE +HTTP +SHARDS +OWNED +ATTACHED +MOVING/);
    assert.match(lines[1] ?? "", /^node1 +up +127\.0\.0\.1:\d+ +\d+ +1 +1 +0/);
    assert.match(out, /\nas seen by node2\n$/);
    guest.socket.disconnect();
  });

  test("a node that is not there is named", async () => {
    await cluster.node(3).kill();
    const { code, out, complaint } = await status("--node", cluster.node(3).adminUrl);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(complaint, /^error: http:\/\/127\.0\.0\.1:\d+ cannot be reached/);
  });
});
