import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd } from "../harness/crowd.ts";
import { chatDialect } from "../harness/dialects.ts";
import type { NodeFlags } from "../harness/node.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { Person, type Presence } from "./person.ts";

/** A node that is killed is missed within a second, and its people count for two more; the rest is for a busy machine. */
const ABSENT_WITHIN_MS = 10_000;

describe("the chat on three nodes", () => {
  let cluster: Cluster;

  const start = async (flags: NodeFlags = {}) => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3, flags });
  };

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
  });

  test("everyone is told that the node he reached owns his session, and by which transport", async () => {
    await start();
    for (const node of cluster.nodes) {
      for (const transport of Object.keys(transports) as Transport[]) {
        const person = await Person.guest(node.url, undefined, transport);
        const reached = transport === "polling" ? "polling" : "websocket";
        await until(`a placement on ${node.name} over ${reached}`, () => {
          const { placement } = person;
          return (
            placement?.ingress === node.name &&
            placement.owner === node.name &&
            placement.transport === reached
          );
        });
      }
    }
  });

  test("somebody on three devices is present once, and those of a killed node are not, until they are back", async () => {
    await start();
    const [one, two, three] = cluster.nodes;
    assert.ok(one && two && three);
    const ada = await Person.member(one.url, "Ada", "websocket");
    const { room } = await ada.create();
    const devices = [
      await Person.signIn(two.url, "Ada", "websocket"),
      await Person.signIn(three.url, "Ada", "websocket"),
    ];
    const bob = await Person.member(two.url, "Bob", "websocket");
    const came = ada.next<Presence>("presence", ({ joined = [] }) =>
      joined.some(({ name }) => name === "Bob"),
    );
    await bob.join(room);
    assert.equal((await came).count, 2);
    for (const person of [ada, bob, ...devices]) {
      await until(`${person.name} sees both`, async () => {
        assert.deepEqual(await person.present(room), ["Ada", "Bob"]);
        return true;
      });
    }

    const gone = ada.next<Presence>(
      "presence",
      ({ left = [] }) => left.some(({ name }) => name === "Bob"),
      ABSENT_WITHIN_MS,
    );
    const changes = ada.gather<Presence>("presence");
    for (const person of [bob, devices[0]]) person?.socket.io.reconnection(false);
    await two.kill();
    assert.equal((await gone).count, 1);
    assert.deepEqual(await ada.present(room), ["Ada"], "she has other devices");
    assert.ok(
      changes.every(({ left = [] }) => left.every(({ name }) => name === "Bob")),
      "nobody else was told to be gone",
    );

    const back = ada.next<Presence>("presence", ({ joined = [] }) => joined.length > 0);
    await Person.open(three.url, "Bob", bob.browser, "websocket");
    assert.deepEqual((await back).joined, [{ name: "Bob", kind: "member" }]);
  });

  test("60 people behind the scatter proxy hear everything once and in order", async () => {
    await start({ placement: "spread" });
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
