import { after, afterEach, before, describe } from "node:test";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { startStore, type Store, type StoreKind } from "../harness/stores.ts";

/** Where a story of the chat takes place. */
export interface Scene {
  /** Behind the scatter proxy, where there are several nodes. */
  readonly url: string;
  readonly cluster: Cluster;
}

const scenes: readonly { title: string; size: number; kind: StoreKind }[] = [
  { title: "one node with SQLite", size: 1, kind: "SQLite" },
  { title: "three nodes with PostgreSQL, every request to another", size: 3, kind: "PostgreSQL" },
];

/**
 * Tells the same stories, with these flags of `hither node`, on one node, and on three whose every request lands on another, with
 * either kind of store.
 */
export function onEveryScene(
  subject: string,
  tell: (scene: Scene) => void,
  flags: readonly string[] = [],
): void {
  for (const { title, size, kind } of scenes) {
    describe(`${subject} — ${title}`, () => {
      let store: Store | undefined;
      let cluster: Cluster | undefined;
      let scatter: Scatter | undefined;

      before(async () => {
        store = await startStore(kind);
        const started = await Cluster.start({
          program: hitherNode(store.url, flags),
          size,
          flags: { placement: "spread" },
        });
        cluster = started;
        scatter = await Scatter.start(() => started.urls);
      });

      afterEach(closeClients);

      after(async () => {
        await scatter?.stop();
        await cluster?.destroy();
        await store?.stop();
      });

      tell({
        get url() {
          if (!scatter) throw new Error("the scene is not set yet");
          return scatter.url;
        },
        get cluster() {
          if (!cluster) throw new Error("the scene is not set yet");
          return cluster;
        },
      });
    });
  }
}
