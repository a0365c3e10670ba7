import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { haproxy, nginx, type LoggingBalancer } from "../harness/balancers.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { loopback } from "../harness/node.ts";
import { freePort } from "../harness/ports.ts";
import { testbed } from "../harness/programs.ts";
import { pythonTalkers, talkers, type Disconnect, type Outcome, type Talkers } from "../harness/talkers.ts";

/** Of each kind; `HITHER_LEAVING_CLIENTS=200` for more. */
const CLIENTS = Number(process.env["HITHER_LEAVING_CLIENTS"] ?? 16);
/** Between two calls of one client, in milliseconds. */
const PAUSE = Math.max(150, 8 * CLIENTS);

/** What stands before the nodes: a balancer with its file in `deploy/`, or a port at which all of them listen. */
const fronts = {
  nginx,
  haproxy,
  none: undefined,
};

/** One node was restarted: from when to when, in milliseconds since 1970. */
interface Restart {
  node: string;
  began: number;
  ended: number;
}

/** A client with a WebSocket loses it when its node leaves, and at no other time. */
function isMovedOnceEach(
  kind: string,
  disconnects: readonly Disconnect[],
  restarts: readonly Restart[],
): void {
  const story = `${kind}: ${JSON.stringify(disconnects)} while ${JSON.stringify(restarts)}`;
  for (const { began, ended } of restarts) {
    const moves = disconnects.filter(({ at }) => began <= at && at <= ended);
    assert.ok(moves.length <= 1, story);
  }
  assert.ok(disconnects.length <= restarts.length, story);
}

describe("a rolling restart of three nodes", { concurrency: true }, () => {
  after(closeClients);

  for (const [front, startBalancer] of Object.entries(fronts)) {
    test(`behind ${front}: pollers notice nothing, WebSockets are moved once for each node that leaves`, async (context) => {
      const port = await freePort();
      const cluster = await Cluster.start({
        program: testbed(),
        size: 3,
        prefix: `${front}-`,
        flags: {
          recovery: "2m",
          leaveGrace: "2s",
          ...(startBalancer ? {} : { front: port }),
        },
      });
      let balancer: LoggingBalancer | undefined;
      const crowds: Record<string, Talkers> = {};
      try {
        balancer = await startBalancer?.(cluster.urls);
        const url = balancer?.url ?? `http://${loopback(port)}`;
        crowds["JavaScript, polling"] = await talkers(url, "polling", CLIENTS, PAUSE);
        crowds["JavaScript, WebSocket"] = await talkers(url, "websocket", CLIENTS, PAUSE);
        crowds["JavaScript, upgrade"] = await talkers(url, "upgrade", CLIENTS, PAUSE);
        crowds["Python, polling"] = await pythonTalkers(url, "polling", CLIENTS, PAUSE);
        crowds["Python, WebSocket"] = await pythonTalkers(url, "websocket", CLIENTS, PAUSE);
        const restarts: Restart[] = [];
        for (const node of cluster.nodes) {
          const began = Date.now();
          const exit = await node.child.stop(30_000);
          context.diagnostic(`${node.name} left within ${Date.now() - began} ms`);
          assert.deepEqual(exit, { code: 0, signal: null }, `${node.name} left in order`);
          node.start();
          await cluster.settled();
          restarts.push({ node: node.name, began, ended: Date.now() });
        }
        const outcomes: Record<string, Outcome> = {};
        for (const [kind, crowd] of Object.entries(crowds)) outcomes[kind] = await crowd.end();
        for (const [kind, { calls, lost, disconnects, reborn }] of Object.entries(outcomes)) {
          const counts = disconnects.map((each) => each.length);
          context.diagnostic(
            `${kind}: ${calls} calls, ${lost.length} lost, ${counts.reduce((sum, count) => sum + count, 0)} disconnects, ${reborn} reborn`,
          );
        }
        for (const [kind, outcome] of Object.entries(outcomes)) {
          assert.equal(outcome.connected, CLIENTS, `${kind}: everybody is connected`);
          assert.equal(outcome.reborn, 0, `${kind}: everybody is who he was`);
          if (kind.endsWith("polling"))
            assert.deepEqual(outcome.disconnects.flat(), [], `${kind}: disconnects`);
          else for (const disconnects of outcome.disconnects) isMovedOnceEach(kind, disconnects, restarts);
          assert.deepEqual(outcome.lost, [], `${kind}: lost calls`);
        }
        assert.deepEqual(balancer?.serverErrors() ?? [], [], "answers of 5xx");
      } finally {
        for (const crowd of Object.values(crowds)) await crowd.abort();
        await balancer?.stop();
        await cluster.destroy();
      }
    });
  }
});
