import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd, type Member, type Seat } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import { engineUrl, PollingSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { within } from "../harness/wait.ts";

/** Everyone must be back so soon after the crash. */
const BACK_WITHIN = 10_000;

/** How long the crowd chats undisturbed before and after; and how long the node is gone. */
const CHAT_MS = 1_500;
const DOWN_MS = 1_000;

/** Once the others know of the crash, an answer takes as long as ever. */
const ANSWERED_WITHIN = 2_000;

const SESSION_UNKNOWN = '{"code":1,"message":"Session ID unknown"}';

const kinds = Object.keys(transports) as Transport[];

describe("one of three nodes is killed and restarted under the same name while people chat", () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start({ program: testbed(), size: 3 });
  });

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
  });

  /** Kills the node in the middle of the chat, starts it again, and waits until all is as before. */
  async function crashWhileTalking(crowd: Crowd): Promise<void> {
    const victim = cluster.node(2);
    const chat = crowd.keepTalking(250);
    await sleep(CHAT_MS);
    await crowd.distrust(
      crowd.members.filter(({ seat }) => ![cluster.node(1).url, cluster.node(3).url].includes(seat.url)),
    );
    await victim.kill();
    const killedAt = Date.now();
    await sleep(DOWN_MS);
    victim.start();
    await crowd.allPresent({ within: BACK_WITHIN - (Date.now() - killedAt) });
    await cluster.settled();
    await sleep(CHAT_MS);
    await chat.stop();
  }

  test("clients of the other nodes do not notice, and hear each other without a gap; the rest come back", async () => {
    const seats: Seat[] = cluster.urls.flatMap((url) =>
      Array.from({ length: 12 }, (_, index) => ({
        url,
        transport: kinds[index % kinds.length] ?? "upgrade",
        rooms: ["everyone"],
      })),
    );
    const crowd = await Crowd.gather(testbedDialect, seats);
    await crashWhileTalking(crowd);
    await crowd.verify();
    const victims = crowd.membersAt(cluster.node(2).url);
    for (const member of crowd.members) {
      if (victims.includes(member))
        assert.ok(member.absences.length > 0, `${member.name} did not notice the crash`);
      else assert.deepEqual(member.absences, [], `${member.name} on ${member.seat.url} was interrupted`);
    }
  });

  test("clients behind the scatter proxy are all back in time, and no node refuses them", async () => {
    const proxy = await Scatter.start(() => cluster.urls);
    try {
      const seats: Seat[] = Array.from({ length: 30 }, (_, index) => ({
        url: proxy.url,
        transport: kinds[index % kinds.length] ?? "upgrade",
        rooms: ["everyone"],
      }));
      const crowd = await Crowd.gather(testbedDialect, seats);
      await crashWhileTalking(crowd);
      await crowd.verify();
      await Promise.all(crowd.members.map(assertAnswered));
    } finally {
      await proxy.stop();
    }
  });

  test("the node that came back takes new clients, whose rooms reach over all nodes", async () => {
    await cluster.node(2).kill();
    cluster.node(2).start();
    await cluster.settled();
    const seats = cluster.urls.map((url): Seat => ({ url, transport: "upgrade", rooms: ["everyone"] }));
    const crowd = await Crowd.gather(testbedDialect, seats);
    await crowd.talk(10);
    await crowd.verify();
  });

  test("a session of the dead node lives on for all others or is unknown to all, but is not waited for", async () => {
    const [near, dead, far] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    using session = await PollingSession.open(`${dead.url}/engine.io/`);
    await dead.kill();
    await Promise.all([near, far].map((node) => node.sees([near.name, far.name])));
    const url = (node: ClusterNode) => engineUrl(`${node.url}/engine.io/`, "polling", session.sid);
    const push = await within(
      ANSWERED_WITHIN,
      "the push answered",
      send(url(near), { method: "POST", body: "4still here" }),
    );
    const poll = await within(ANSWERED_WITHIN, "the poll answered", send(url(far)));
    if (push.status === 200) assert.deepEqual([poll.status, poll.text], [200, "4still here"]);
    else
      for (const { status, text } of [push, poll]) assert.deepEqual([status, text], [400, SESSION_UNKNOWN]);
  });
});

async function assertAnswered({ name, socket }: Member): Promise<void> {
  const { id, transport } = socket.io.engine;
  const answer = await ask(socket, "echo", name).catch((error: unknown) => error);
  assert.equal(answer, name, `${name}, session ${id} over ${transport.name}, is not answered`);
}
