import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../faults/dice.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { startStore, type Store, storeKinds } from "../harness/stores.ts";
import { Conversation } from "./conversation.ts";

const CRASHES = 4;

describe("nodes of the chat are killed at random moments", () => {
  let cluster: Cluster | undefined;
  let store: Store | undefined;

  afterEach(async () => {
    closeClients();
    await cluster?.destroy();
    await store?.stop();
  });

  for (const kind of storeKinds) {
    test(`${kind}: every message that was acknowledged is stored once, under its number, and known to everybody`, async (context) => {
      const seed = Number(process.env["HITHER_SEED"] ?? Date.now() % 1_000_000);
      const dice = new Dice(seed);
      context.diagnostic(`HITHER_SEED=${seed}`);
      store = await startStore(kind);
      cluster = await Cluster.start({ program: hitherNode(store.url), size: 3 });
      const names = cluster.nodes.map(({ name }) => name);
      const conversation = await Conversation.begin(cluster.urls, { againAfterMs: 1_500 });
      for (let crash = 0; crash < CRASHES; crash += 1) {
        await conversation.goesOn(50);
        await sleep(dice.between(0, 500));
        const node = dice.pick(cluster.nodes);
        await node.kill();
        await sleep(dice.between(0, 1_000));
        node.start();
        await node.sees(names);
      }
      await conversation.goesOn();
      await conversation.end();
      context.diagnostic(await conversation.verify(store.url));
    });
  }
});
