import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Dice } from "./dice.ts";
import { NODES, plan } from "./plan.ts";

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

describe("a random plan", () => {
  test("is the same for the same seed, and others for other seeds", () => {
    const plans = SEEDS.map((seed) => JSON.stringify(plan(new Dice(seed), 3, true)));
    assert.deepEqual(
      SEEDS.map((seed) => JSON.stringify(plan(new Dice(seed), 3, true))),
      plans,
    );
    assert.ok(new Set(plans).size > SEEDS.length / 2);
  });

  test("ends each episode with all nodes running and the network whole, and never has two nodes down", () => {
    for (const steps of SEEDS.flatMap((seed) => plan(new Dice(seed), 3, true))) {
      const down = new Set<number>();
      let whole = true;
      for (const { fault } of steps) {
        if (fault.kind === "kill" || fault.kind === "freeze" || fault.kind === "drain") down.add(fault.node);
        else if (fault.kind === "start" || fault.kind === "thaw") assert.ok(down.delete(fault.node));
        else whole = fault.kind === "heal";
        assert.ok(down.size <= 1 && [...down].every((node) => node >= 1 && node <= NODES));
      }
      assert.ok(down.size === 0 && whole, JSON.stringify(steps));
    }
  });

  test("touches the network only between hosts", () => {
    const nodeFaults = new Set(["kill", "start", "freeze", "thaw", "drain", "join"]);
    for (const { fault } of SEEDS.flatMap((seed) => plan(new Dice(seed), 3, false)).flat())
      assert.ok(nodeFaults.has(fault.kind), fault.kind);
  });
});
