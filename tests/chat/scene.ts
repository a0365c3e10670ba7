import { after, afterEach, before, describe } from "node:test";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import type { NodeFlags } from "../harness/node.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";

/** Where a story of the chat takes place. */
export interface Scene {
  /** Behind the scatter proxy, where there are several nodes. */
  readonly url: string;
  readonly cluster: Cluster;
}

/** Tells the same stories on one node, and on three whose every request lands on another. */
export function onEveryScene(subject: string, tell: (scene: Scene) => void, flags: NodeFlags = {}): void {
  for (const size of [1, 3]) {
    describe(`${subject} — ${size === 1 ? "one node" : "three nodes, every request to another"}`, () => {
      let cluster: Cluster | undefined;
      let scatter: Scatter | undefined;

      before(async () => {
        const started = await Cluster.start({
          program: hitherNode(),
          size,
          flags: { placement: "spread", ...flags },
        });
        cluster = started;
        scatter = await Scatter.start(() => started.urls);
      });

      afterEach(closeClients);

      after(async () => {
        await scatter?.stop();
        await cluster?.destroy();
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
