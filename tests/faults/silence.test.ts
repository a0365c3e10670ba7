import { describe, test } from "node:test";
import { Trial } from "./trial.ts";

describe("while 60 people chat on three nodes", () => {
  test("one is silent for a moment: too short to be missed", async (context) => {
    const summary = await Trial.run({ name: "nap", seed: 4, promise: "no disconnect" }, [
      [
        { after: 0, fault: { kind: "freeze", node: 2 } },
        { after: 1_500, fault: { kind: "thaw", node: 2 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("one is silent for just so long that others take over before it doubts its own time", async (context) => {
    const summary = await Trial.run({ name: "doze", seed: 8, promise: "recovered" }, [
      [
        { after: 0, fault: { kind: "freeze", node: 1 } },
        { after: 3_600, fault: { kind: "thaw", node: 1 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("one is silent while another is killed", async (context) => {
    const summary = await Trial.run({ name: "nap-kill", seed: 9 }, [
      [
        { after: 0, fault: { kind: "freeze", node: 2 } },
        { after: 200, fault: { kind: "kill", node: 3 } },
        // So that it does not know whether others have declared it dead.
        { after: 1_000, fault: { kind: "thaw", node: 2 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  const sleep = [
    { after: 0, fault: { kind: "freeze", node: 2 } },
    { after: 12_000, fault: { kind: "thaw", node: 2 } },
  ] as const;

  test("one is silent for so long that others take over, and wakes up", async (context) => {
    const summary = await Trial.run({ name: "sleep", seed: 5, promise: "recovered" }, [sleep]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("one stops while it handles messages, and wakes up after others have taken over", async (context) => {
    const summary = await Trial.run({ name: "sleep-busy", seed: 5 }, [sleep]);
    context.diagnostic(JSON.stringify(summary));
  });
});
