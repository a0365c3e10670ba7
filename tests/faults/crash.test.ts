import { describe, test } from "node:test";
import { Trial } from "./trial.ts";

describe("while 60 people chat on three nodes", () => {
  test("one is killed, and comes back under its name", async (context) => {
    const summary = await Trial.run({ name: "kill", seed: 1, promise: "recovered" }, [
      [{ after: 500, fault: { kind: "kill", node: 2 } }],
      [{ after: 500, fault: { kind: "start", node: 2 } }],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("one is killed while a fourth joins", async (context) => {
    const summary = await Trial.run({ name: "kill-join", seed: 6, promise: "recovered" }, [
      [
        { after: 0, fault: { kind: "join" } },
        { after: 150, fault: { kind: "kill", node: 3 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });

  test("one is killed, and back before anyone has missed it", async (context) => {
    const summary = await Trial.run({ name: "kill-start", seed: 7, promise: "recovered" }, [
      [
        { after: 0, fault: { kind: "kill", node: 1 } },
        { after: 0, fault: { kind: "start", node: 1 } },
      ],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });
});
