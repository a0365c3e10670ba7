import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd } from "../harness/crowd.ts";
import { chatDialect } from "../harness/dialects.ts";
import type { NodeFlags } from "../harness/node.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { Guest, type Person } from "./guest.ts";

const ROOM = "tea";

/** For 10 s after its node died a session waits for its client; some more until that node is missed, and all is told. */
const ANNOUNCED_AS_GONE_MS = 20_000;

describe("the chat on three nodes", () => {
  let cluster: Cluster;

  const start = async (flags: NodeFlags = {}) => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3, flags });
  };

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
  });

  describe("with sessions placed near", () => {
    beforeEach(() => start());

    test("everyone is told that the node he reached owns his session, and by which transport", async () => {
      for (const node of cluster.nodes) {
        for (const transport of Object.keys(transports) as Transport[]) {
          const guest = await Guest.signIn(node.url, "Ada", transport);
          const reached = transport === "polling" ? "polling" : "websocket";
          await until(`a placement on ${node.name} over ${reached}`, () => {
            const { placement } = guest;
            return (
              placement?.ingress === node.name &&
              placement.owner === node.name &&
              placement.transport === reached
            );
          });
        }
      }
    });

    test("people on different nodes are in one room, and see each other come and go", async () => {
      const guests: Guest[] = [];
      for (const node of cluster.nodes) {
        const guest = await Guest.signIn(node.url, `guest of ${node.name}`);
        const answer = await guest.join(ROOM);
        guests.push(guest);
        assert.ok(answer.ok);
        assert.equal(answer.members?.length, guests.length);
      }
      const [first, , last] = guests;
      assert.ok(first && last);
      const gone = first.next<Person>("leave room");
      const { id } = last;
      last.socket.disconnect();
      assert.equal((await gone).id, id);
    });

    test("when a node dies, its people are gone from everyone's list", async () => {
      const guests: Guest[] = [];
      for (const node of cluster.nodes) {
        const guest = await Guest.signIn(node.url, `guest of ${node.name}`, "websocket");
        await guest.join(ROOM);
        guests.push(guest);
      }
      const [first, second, third] = guests;
      assert.ok(first && second && third);
      const lost = second.id;
      // Its session lives on elsewhere for a while: who does not come back in time is announced as gone.
      const departures = [first, third].map((guest) =>
        guest.next<Person>("leave room", ({ id }) => id === lost, ANNOUNCED_AS_GONE_MS),
      );
      second.socket.io.reconnection(false);
      await cluster.node(2).kill();
      await Promise.all(departures);
      const again = await Guest.signIn(cluster.node(1).url, "late guest");
      const answer = await again.join(ROOM);
      assert.ok(answer.ok);
      const ids = (answer.members ?? []).map(({ id }) => id);
      assert.deepEqual(ids.sort(), [first.id, third.id, again.id].sort());
    });
  });

  test("with sessions spread, a placement names an owner that need not be the node one reached", async () => {
    await start({ placement: "spread" });
    const seen = new Set<string>();
    await until("a session owned elsewhere", async () => {
      const guest = await Guest.signIn(cluster.node(1).url, "Ada", "websocket");
      await until("a placement", () => guest.placement);
      assert.equal(guest.placement?.ingress, "node1");
      seen.add(guest.placement.owner);
      return seen.size === 3;
    });
    assert.deepEqual([...seen].sort(), ["node1", "node2", "node3"]);
  });

  test("60 people behind the scatter proxy hear everything once and in order", async () => {
    await start();
    const proxy = await Scatter.start(() => cluster.urls);
    try {
      const kinds = Object.keys(transports) as Transport[];
      const seats = Array.from({ length: 60 }, (_, index) => ({
        url: proxy.url,
        transport: kinds[index % kinds.length] ?? "upgrade",
        rooms: ["everyone", `table ${index % 6}`],
      }));
      const crowd = await Crowd.gather(chatDialect, seats);
      await crowd.talk(5);
      await crowd.verify();
      assert.deepEqual(crowd.interrupted, []);
      assert.deepEqual(crowd.failures, []);
    } finally {
      closeClients();
      await proxy.stop();
    }
  });
});
