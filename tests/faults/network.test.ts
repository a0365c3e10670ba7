import { describe, test } from "node:test";
import type { NetworkFault, Step } from "./fault.ts";
import { whyNoHosts } from "./hosts.ts";
import { Trial } from "./trial.ts";

/** Long enough for the nodes to count each other out, or too short for it; in milliseconds. */
const LONG = 7_000;
const SHORT = 1_500;

function passing(fault: NetworkFault, lasting: number): Step[] {
  return [
    { after: 0, fault },
    { after: lasting, fault: { kind: "heal" } },
  ];
}

describe("while 60 people chat on three hosts", { skip: whyNoHosts() }, () => {
  const stories: Record<string, Step[]> = {
    "a link is cut for a moment": passing({ kind: "cut", between: [1, 2] }, SHORT),
    "a link is cut for long": passing({ kind: "cut", between: [1, 2] }, LONG),
    "nothing comes from one to another": passing({ kind: "mute", from: 1, to: 2 }, LONG),
    "one is cut off": passing({ kind: "partition", sides: [[1], [2, 3]] }, LONG),
    "each is on its own": passing({ kind: "partition", sides: [[1], [2], [3]] }, LONG),
    "half of the gossip is lost": passing({ kind: "lose", what: "datagrams", share: 0.5 }, LONG),
    "a tenth of all packets is lost": passing({ kind: "lose", what: "packets", share: 0.1 }, LONG),
    "all takes 50 ms from host to host": passing({ kind: "delay", by: 50 }, LONG),
  };

  for (const [index, [title, steps]] of Object.entries(stories).entries()) {
    test(title, async (context) => {
      const name = `network${index + 1}`;
      const hosts = steps.some(({ fault }) => fault.kind === "delay") ? "relayed" : "direct";
      const summary = await Trial.run({ name, seed: 11 + index, hosts }, [steps]);
      context.diagnostic(JSON.stringify(summary));
    });
  }
});
