import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Cluster } from "../harness/cluster.ts";
import { engineUrl, PollingSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { hangs, within } from "../harness/wait.ts";

describe("a session whose poll hangs at another node", () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start({ program: testbed(), size: 3 });
  });

  afterEach(() => cluster.destroy());

  const base = (node: ClusterNode) => `${node.url}/engine.io/`;

  test("goes on when that node is lost: the next poll, at a third node, is not taken for a second one", async () => {
    const [owner, dying, third] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    using session = await PollingSession.open(base(owner));
    const orphan = send(engineUrl(base(dying), "polling", session.sid));
    assert.ok(await hangs(orphan));
    await dying.kill();
    await assert.rejects(orphan);
    await Promise.all([owner, third].map((node) => node.sees([owner.name, third.name])));

    const url = engineUrl(base(third), "polling", session.sid);
    const poll = send(url);
    const push = await send(url, { method: "POST", body: "4still here" });
    assert.deepEqual([push.status, push.text], [200, "ok"]);
    const answer = await within(10_000, "the poll answered", poll);
    assert.deepEqual([answer.status, answer.text], [200, "4still here"]);
  });
});
