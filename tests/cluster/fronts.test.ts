import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { haproxy, nginx, scatter, type Balancer } from "../harness/balancers.ts";
import { ask, closeClients, connected, heard, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import { PollingSession } from "../harness/engine.ts";
import { againstReference, testbed } from "../harness/programs.ts";
import { atRandom, Scatter } from "../harness/scatter.ts";

const SEED = 20_261_120;

const fronts = {
  "a proxy that sends every request to the next node": scatter(),
  [`a proxy that sends every request to a random node (seed ${SEED})`]: scatter(atRandom(SEED)),
  "nginx with deploy/nginx.conf": nginx,
  "haproxy with deploy/haproxy.cfg": haproxy,
};

describe("three nodes behind", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ program: testbed(), size: againstReference ? 1 : 3 });
  });

  after(() => cluster.destroy());
  afterEach(closeClients);

  for (const [title, startFront] of Object.entries(fronts)) {
    describe(title, () => {
      let front: Balancer;

      before(async () => {
        front = await startFront(cluster.urls);
      });

      after(() => front.stop());

      test("a body that is too large is refused with 413, and nobody else is harmed", async () => {
        using bystander = await PollingSession.open(`${front.url}/engine.io/`);
        for (let attempt = 0; attempt < 10; attempt += 1) {
          using session = await PollingSession.open(`${front.url}/engine.io/`);
          const answer = await session.push("x".repeat(3 * session.handshake.maxPayload));
          assert.equal(answer.status, 413);
        }
        await bystander.push("4still here");
        assert.deepEqual(await bystander.take(1), ["4still here"]);
      });

      for (const transport of Object.keys(transports) as Transport[]) {
        test(`${transport}: acks, binary, and rooms in which everyone hears everything once and in order`, async () => {
          const alice = await connected(front.url, transport);
          const bytes = Buffer.from([0, 1, 254, 255]);
          assert.deepEqual(await ask(alice, "echo", { bytes }), { bytes });

          const bob = await connected(front.url, transport);
          for (const one of [alice, bob]) await ask(one, "join", "bytes");
          const arrival = heard(bob, "message");
          await ask(alice, "publish", "bytes", bytes);
          assert.deepEqual(await arrival, ["bytes", bytes]);

          const rooms = ["tea", "coffee"];
          const seats = Array.from({ length: 12 }, (_, index) => ({
            url: front.url,
            transport,
            rooms: ["all", rooms[index % rooms.length] ?? ""],
          }));
          const crowd = await Crowd.gather(testbedDialect, seats);
          await crowd.talk(15);
          await crowd.verify();
          assert.deepEqual(crowd.failures, []);
          assert.deepEqual(crowd.interrupted, []);
        });
      }
    });
  }
});

test("the proxy really scatters: polls and pushes of one session reach every node", async () => {
  const cluster = await Cluster.start({
    program: testbed(),
    size: againstReference ? 1 : 3,
    prefix: "witness-",
  });
  const proxy = await Scatter.start(() => cluster.urls);
  try {
    const alice = await connected(proxy.url, "polling");
    for (let number = 0; number < 10; number += 1) await ask(alice, "echo", number);
    assert.deepEqual(proxy.nodesThatServed(alice.io.engine.id), new Set(cluster.urls));
  } finally {
    closeClients();
    await proxy.stop();
    await cluster.destroy();
  }
});
