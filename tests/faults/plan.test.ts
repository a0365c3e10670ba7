import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Dice } from "./dice.ts";
import type { Fault, Step } from "./fault.ts";
import { ALL_FAULTS, NODE_FAULTS, NODES, NOT_MISSED, plan } from "./plan.ts";

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);
/** Many episodes, and how the cluster stands after each step of them. */
const STORIES = SEEDS.flatMap((seed) => {
  let newcomer = NODES + 1;
  return plan(new Dice(seed), 3, ALL_FAULTS).map((steps) => {
    const states = statesAfter(steps, newcomer);
    newcomer += steps.filter(({ fault }) => fault.kind === "join").length;
    return { steps, states };
  });
});

/** How each episode must end. */
const WELL = { running: numbers(), frozen: new Set(), whole: true, calm: true };

describe("a random plan", () => {
  test("is the same for the same seed, and others for other seeds", () => {
    const plans = SEEDS.map((seed) => JSON.stringify(plan(new Dice(seed), 3, ALL_FAULTS)));
    assert.deepEqual(
      SEEDS.map((seed) => JSON.stringify(plan(new Dice(seed), 3, ALL_FAULTS))),
      plans,
    );
    assert.ok(new Set(plans).size > SEEDS.length / 2);
  });

  test("ends each episode with the same nodes running, and the network whole and calm", () => {
    for (const { steps, states } of STORIES) {
      const end = states.at(-1);
      const running = [...(end?.running ?? [])].sort();
      assert.deepEqual({ ...end, running }, { ...end, ...WELL }, JSON.stringify(steps));
    }
  });

  test("never loses both copies of a session", () => {
    for (const { steps, states } of STORIES) {
      for (const { lost, frozen, silentFor } of states) {
        assert.ok(lost.size <= 1, JSON.stringify(steps));
        assert.ok(lost.size === 0 || frozen.size === 0 || silentFor <= NOT_MISSED, JSON.stringify(steps));
      }
    }
  });

  test("touches the network only between hosts", () => {
    const networkFaults = new Set<Fault["kind"]>([
      "mute",
      "cut",
      "partition",
      "lose",
      "delay",
      "narrow",
      "heal",
    ]);
    for (const { fault } of SEEDS.flatMap((seed) => plan(new Dice(seed), 3, NODE_FAULTS)).flat())
      assert.ok(!networkFaults.has(fault.kind), fault.kind);
  });

  test("has each of these now and then", () => {
    const some = (what: string, is: (state: State) => boolean) => {
      const found = STORIES.filter(({ states }) => states.some(is));
      assert.ok(found.length > STORIES.length / 50, `${what}: ${found.length} of ${STORIES.length}`);
    };
    some("one is silent while another is dead", ({ lost, frozen }) => lost.size > 0 && frozen.size > 0);
    some(
      "one more is there while another is dead",
      ({ lost, running }) => lost.size > 0 && [...running].some((node) => node > NODES),
    );
    some("one is silent while clients upload", ({ frozen, calm }) => frozen.size > 0 && !calm);
    some("the network is broken", ({ whole }) => !whole);
    const starts = STORIES.map(({ steps }) => steps.filter(({ fault }) => fault.kind === "start"));
    assert.ok(
      starts.filter(({ length }) => length >= 2 * NODES).length > STORIES.length / 50,
      "restart storms",
    );
  });
});

/** How a cluster stands. */
interface State {
  running: ReadonlySet<number>;
  frozen: ReadonlySet<number>;
  /** Nodes that were killed, until all that they had is known to be there twice again. */
  lost: ReadonlySet<number>;
  /** For how long the frozen ones have been frozen, in milliseconds. */
  silentFor: number;
  whole: boolean;
  /** Nobody uploads. */
  calm: boolean;
}

/** How a cluster stands after each of these steps, if it is well before them and a node that joins has this number. */
function statesAfter(steps: readonly Step[], newcomer: number): State[] {
  const running = new Set(numbers());
  const frozen = new Set<number>();
  const lost = new Set<number>();
  let [silentFor, whole, calm] = [0, true, true];
  return steps.map(({ after, fault }) => {
    const story = `${JSON.stringify(fault)} in ${JSON.stringify(steps)}`;
    silentFor = frozen.size > 0 ? silentFor + after : 0;
    switch (fault.kind) {
      case "kill":
        assert.ok(running.delete(fault.node), story);
        lost.add(fault.node);
        break;
      case "drain":
        assert.ok(running.delete(fault.node), story);
        break;
      case "start":
        assert.ok(!running.has(fault.node) && fault.node <= NODES, story);
        running.add(fault.node);
        break;
      case "join":
        running.add(newcomer);
        break;
      case "freeze":
        assert.ok(running.has(fault.node) && frozen.size === 0, story);
        frozen.add(fault.node);
        break;
      case "thaw":
        assert.ok(frozen.delete(fault.node), story);
        break;
      case "replicated":
        assert.ok(frozen.size === 0 && running.size === NODES && whole, story);
        lost.clear();
        break;
      case "load":
      case "unload":
        assert.equal(calm, fault.kind === "load", story);
        calm = !calm;
        break;
      default:
        whole = fault.kind === "heal";
    }
    const sets = { running: new Set(running), frozen: new Set(frozen), lost: new Set(lost) };
    return { ...sets, silentFor, whole, calm };
  });
}

function numbers(): number[] {
  return Array.from({ length: NODES }, (_, index) => index + 1);
}
