import { describe, test } from "node:test";
import type { NetworkFault, Step } from "./fault.ts";
import { whyNoHosts } from "./hosts.ts";
import { Trial, type Promised } from "./trial.ts";

/** Long enough for the nodes to count each other out, or too short for it; in milliseconds. */
const LONG = 7_000;
const SHORT = 1_500;
/** The nodes have just counted each other out, and gossip and links come back one after the other. */
const JUST_COUNTED_OUT = 3_700;

function passing(fault: NetworkFault, lasting: number): Step[] {
  return [
    { after: 0, fault },
    { after: lasting, fault: { kind: "heal" } },
  ];
}

interface Story {
  steps: Step[];
  promise?: Promised;
}

describe("while 60 people chat on three hosts", { skip: whyNoHosts() }, () => {
  const stories: Record<string, Story> = {
    "a link is cut for a moment": {
      steps: passing({ kind: "cut", between: [1, 2] }, SHORT),
      promise: "no disconnect",
    },
    "half of the gossip is lost": {
      steps: passing({ kind: "lose", what: "datagrams", share: 0.5 }, LONG),
      promise: "no disconnect",
    },
    "a tenth of all packets is lost": {
      steps: passing({ kind: "lose", what: "packets", share: 0.1 }, LONG),
      promise: "no disconnect",
    },
    "all takes 50 ms from host to host": {
      steps: passing({ kind: "delay", by: 50 }, LONG),
      promise: "no disconnect",
    },
    "a link is cut for long": {
      steps: passing({ kind: "cut", between: [1, 2] }, LONG),
      promise: "no disconnect",
    },
    "nothing comes from one to another": {
      steps: passing({ kind: "mute", from: 1, to: 2 }, LONG),
      promise: "no disconnect",
    },
    // Who comes back through a node that has no copy of his session, or was told what no other node knows of, comes as
    // somebody new.
    "one is cut off": { steps: passing({ kind: "partition", sides: [[1], [2, 3]] }, LONG) },
    "each is on its own": { steps: passing({ kind: "partition", sides: [[1], [2], [3]] }, LONG) },
    "one dies whose last words nobody hears": {
      steps: [
        { after: 0, fault: { kind: "mute", from: 2, to: 1 } },
        { after: 0, fault: { kind: "mute", from: 2, to: 3 } },
        { after: 800, fault: { kind: "kill", node: 2 } },
        { after: LONG, fault: { kind: "heal" } },
        { after: 0, fault: { kind: "start", node: 2 } },
      ],
    },
    "each is on its own, but hardly": {
      steps: passing({ kind: "partition", sides: [[1], [2], [3]] }, JUST_COUNTED_OUT),
    },
  };

  for (const [index, [title, { steps, promise }]] of Object.entries(stories).entries()) {
    test(title, async (context) => {
      const name = `network${index + 1}`;
      const hosts = steps.some(({ fault }) => fault.kind === "delay") ? "relayed" : "direct";
      const summary = await Trial.run({ name, seed: 11 + index, hosts, ...(promise && { promise }) }, [
        steps,
      ]);
      context.diagnostic(JSON.stringify(summary));
    });
  }
});
