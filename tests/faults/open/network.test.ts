/** Stories that do not hold yet: `npm run test:faults:open`. What fails is in RESULTS.md. */
import { describe, test } from "node:test";
import type { NetworkFault, Step } from "../fault.ts";
import { whyNoHosts } from "../hosts.ts";
import { Trial, type Promised } from "../trial.ts";

/** Long enough for the nodes to count each other out; in milliseconds. */
const LONG = 7_000;

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
    "a link is cut for long": {
      steps: passing({ kind: "cut", between: [1, 2] }, LONG),
      promise: "recovered",
    },
    "nothing comes from one to another": {
      steps: passing({ kind: "mute", from: 1, to: 2 }, LONG),
      promise: "recovered",
    },
    // Who comes back through a node that has no copy of his session comes as somebody new.
    "one is cut off": { steps: passing({ kind: "partition", sides: [[1], [2, 3]] }, LONG) },
    "each is on its own": { steps: passing({ kind: "partition", sides: [[1], [2], [3]] }, LONG) },
  };

  for (const [index, [title, { steps, promise }]] of Object.entries(stories).entries()) {
    test(title, async (context) => {
      const name = `network${index + 2}`;
      const summary = await Trial.run({ name, seed: 12 + index, hosts: "direct", ...(promise && { promise }) }, [steps]);
      context.diagnostic(JSON.stringify(summary));
    });
  }
});
