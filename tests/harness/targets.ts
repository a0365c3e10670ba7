import { after, before, describe } from "node:test";
import { Cluster } from "./cluster.ts";
import type { NodeFlags } from "./node.ts";
import { againstReference, testbed } from "./programs.ts";
import { Scatter } from "./scatter.ts";

/** A testbed server as clients see it. Its addresses are known once the suite's tests run. */
export interface Target {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** Plain Engine.IO that echoes. */
  readonly engine: string;
  /** Engine.IO that carries Socket.IO. */
  readonly socketio: string;
}

interface Shape {
  title: string;
  size: number;
  scattered: boolean;
}

// The stock server has no cluster; behind the scatter proxy it shows at least that the proxy adds no trouble.
const shapes: readonly Shape[] = againstReference
  ? [
      { title: "the reference server", size: 1, scattered: false },
      { title: "the reference server behind the scatter proxy", size: 1, scattered: true },
    ]
  : [
      { title: "one node", size: 1, scattered: false },
      { title: "three nodes, every request to another", size: 3, scattered: true },
    ];

/**
 * Runs the same tests on one node and on three whose every request lands on another node. There, sessions are spread
 * over the nodes, so that also a WebSocket that opens directly is mostly owned elsewhere.
 */
export function onEveryTarget(subject: string, flags: NodeFlags, define: (target: Target) => void): void {
  for (const { title, size, scattered } of shapes) {
    describe(`${subject} — ${title}`, () => {
      let cluster: Cluster | undefined;
      let scatter: Scatter | undefined;
      let url: string | undefined;

      before(async () => {
        const prefix = size === 1 ? "single-" : "scattered-";
        cluster = await Cluster.start({
          program: testbed(),
          size,
          prefix,
          flags: { placement: "spread", ...flags },
        });
        const urls = cluster.urls;
        if (scattered) scatter = await Scatter.start(() => urls);
        url = scatter?.url ?? cluster.node(1).url;
      });

      after(async () => {
        await scatter?.stop();
        await cluster?.destroy();
      });

      define({
        get url() {
          if (url === undefined) throw new Error("the target is not up yet");
          return url;
        },
        get engine() {
          return `${this.url}/engine.io/`;
        },
        get socketio() {
          return `${this.url}/socket.io/`;
        },
      });
    });
  }
}

/** Marks a rule in which Hither is deliberately stricter than the stock server, or the stock server departs from the specification. */
export function unlikeReference(reason: string): { skip: string | false } {
  return { skip: againstReference && `the reference server differs: ${reason}` };
}
