import { describe, test } from "node:test";
import type { Step } from "./fault.ts";
import { Trial } from "./trial.ts";

describe("while 60 people chat on three nodes", () => {
  test("a fourth joins, and leaves again", async (context) => {
    const summary = await Trial.run({ name: "join", seed: 2, promise: "no disconnect" }, [
      [{ after: 0, fault: { kind: "join" } }],
      [{ after: 0, fault: { kind: "drain", node: 4 } }],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("a fourth is told to leave before it has joined", async (context) => {
    const summary = await Trial.run({ name: "join-leave", seed: 10, promise: "no disconnect" }, [
      [
        { after: 0, fault: { kind: "join" } },
        { after: 0, fault: { kind: "drain", node: 4 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("all are restarted, one after the other", async (context) => {
    const rolling = [1, 2, 3].map((node): Step[] => [
      { after: 0, fault: { kind: "drain", node } },
      { after: 0, fault: { kind: "start", node } },
    ]);
    const summary = await Trial.run({ name: "rolling", seed: 3, promise: "recovered" }, rolling);
    context.diagnostic(JSON.stringify(summary));
  });
});
