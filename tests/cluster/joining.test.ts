import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd, type Member, type Seat } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import { testbed } from "../harness/programs.ts";

const GUESTS_PER_NODE = 20;

/**
 * A fourth node takes over a quarter of the shards and so, on average, 15 of 60 sessions. That it were more than 30 is
 * less likely than one in ten thousand; a placement that moves everything moves 45.
 */
const MOVED_AT_MOST = 30;

const kinds = Object.keys(transports) as Transport[];

describe("while 60 people chat on three nodes", () => {
  let cluster: Cluster;
  let crowd: Crowd;

  before(async () => {
    cluster = await Cluster.start({ program: testbed(), size: 3 });
    const seats: Seat[] = cluster.urls.flatMap((url) =>
      Array.from({ length: GUESTS_PER_NODE }, (_, index) => ({
        url,
        transport: kinds[index % kinds.length] ?? "upgrade",
        rooms: ["everyone"],
      })),
    );
    crowd = await Crowd.gather(testbedDialect, seats);
  });

  after(async () => {
    closeClients();
    await cluster.destroy();
  });

  test("a fourth joins: only sessions whose owner changes may be lost, and they are back soon", async (context) => {
    const chat = crowd.keepTalking(500);
    await sleep(1_000);
    await cluster.add();
    await cluster.settled();
    await sleep(1_000);
    await crowd.allPresent({ within: 10_000 });
    await sleep(1_000);
    await chat.stop();
    await crowd.verify();
    context.diagnostic(`${crowd.interrupted.length} of ${crowd.members.length} sessions were interrupted`);
    assert.ok(
      crowd.interrupted.length <= MOVED_AT_MOST,
      `${crowd.interrupted.length} sessions were interrupted`,
    );
    for (const { name, absences } of crowd.members)
      assert.ok(absences.length <= 1, `${name} was interrupted twice`);
  });

  test("the fourth leaves again: sessions that the others own are not lost", async (context) => {
    // Whoever was interrupted by the join has a session since then that its own node owns.
    const elsewhere = new Map<Member, number>(
      crowd.members.map((member) => [member, member.absences.length]),
    );
    const chat = crowd.keepTalking(500);
    await sleep(1_000);
    await cluster.node(4).stop();
    await cluster.settled();
    await sleep(1_000);
    await crowd.allPresent({ within: 10_000 });
    await chat.stop();
    await crowd.verify();
    const lost = crowd.members.filter((member) => member.absences.length > (elsewhere.get(member) ?? 0));
    context.diagnostic(`${lost.length} of ${crowd.members.length} sessions were interrupted`);
    assert.ok(lost.length <= MOVED_AT_MOST, `${lost.length} sessions were interrupted`);
    for (const member of lost) {
      assert.equal(
        elsewhere.get(member),
        0,
        `${member.name}, owned by the node it talks to, was interrupted`,
      );
    }
  });
});
