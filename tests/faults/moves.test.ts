import { describe, test } from "node:test";
import { Trial } from "./trial.ts";

describe("while 60 people chat on three nodes", () => {
  test("a fourth joins, and leaves again", async (context) => {
    const summary = await Trial.run({ name: "join", seed: 2, promise: "no disconnect" }, [
      [{ after: 0, fault: { kind: "join" } }],
      [{ after: 0, fault: { kind: "drain", node: 4 } }],
    ]);
    context.diagnostic(JSON.stringify(summary));
  });
});
