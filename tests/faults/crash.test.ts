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
});
