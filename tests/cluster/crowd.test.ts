import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Crowd } from "../harness/crowd.ts";
import { testbedDialect } from "../harness/dialects.ts";
import { againstReference, testbed } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";

const GUESTS = 200;
const AT_A_TABLE = 10;
const ROUNDS = 3;

describe("200 clients, over all transports, on three nodes behind the scatter proxy", () => {
  let cluster: Cluster;
  let proxy: Scatter;

  before(async () => {
    cluster = await Cluster.start({ program: testbed(), size: againstReference ? 1 : 3 });
    proxy = await Scatter.start(() => cluster.urls);
  });

  after(async () => {
    closeClients();
    await proxy.stop();
    await cluster.destroy();
  });

  test("each hears each message of its rooms exactly once, and each sender's in order", async (context) => {
    const kinds = Object.keys(transports) as Transport[];
    const seats = Array.from({ length: GUESTS }, (_, index) => ({
      url: proxy.url,
      transport: kinds[index % kinds.length] ?? "upgrade",
      rooms: ["everyone", `table ${Math.floor(index / AT_A_TABLE)}`],
    }));
    const crowd = await Crowd.gather(testbedDialect, seats);
    await crowd.talk(ROUNDS);
    await crowd.verify({ within: 30_000 });

    const said = GUESTS * ROUNDS * 2;
    const heard = GUESTS * ROUNDS * (GUESTS + AT_A_TABLE);
    assert.deepEqual(crowd.history.totals, { said, acknowledged: said, heard });
    assert.deepEqual(crowd.interrupted, []);
    context.diagnostic(`${said} messages, ${heard} deliveries`);
  });
});
