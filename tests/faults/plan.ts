import type { Dice } from "./dice.ts";
import type { NetworkFault, Step } from "./fault.ts";

/** Nodes that there are from the start. */
export const NODES = 3;

/** Long enough for the nodes to count a silent one out, with the default timeouts; in milliseconds. */
const COUNTED_OUT = 5_000;

/** Too short for the nodes to count a silent one out, with the default timeouts; in milliseconds. */
export const NOT_MISSED = 2_500;

/** The longest pause of a node while it has much to do. */
const LONGEST_PAUSE = 3_000;

/** What clients upload while nodes pause, in bytes a second. */
const UPLOADED = 10_000_000;

/**
 * What may happen to a cluster of {@link NODES} nodes, chosen by the dice: a few faults, at the end of which the same
 * nodes run and the network is whole. Never are two nodes lost at once: of each session there are two copies. So a node that is silent
 * while another is lost wakes up before it is {@link NOT_MISSED}, and who was killed is back, with its copies, before the next is.
 *
 * A node that joins has the number `newcomer`.
 */
export type Episode = (dice: Dice, newcomer: number) => Step[];

const killed: Episode = (dice) => {
  const node = dice.between(1, NODES);
  return [
    { after: dice.between(0, 1_000), fault: { kind: "kill", node } },
    { after: dice.between(0, 3_000), fault: { kind: "start", node } },
  ];
};

const silent: Episode = (dice) => {
  const node = dice.between(1, NODES);
  return [
    { after: dice.between(0, 1_000), fault: { kind: "freeze", node } },
    { after: dice.between(200, 2 * COUNTED_OUT), fault: { kind: "thaw", node } },
  ];
};

const drained: Episode = (dice) => {
  const node = dice.between(1, NODES);
  return [
    { after: dice.between(0, 1_000), fault: { kind: "drain", node } },
    { after: dice.between(0, 2_000), fault: { kind: "start", node } },
  ];
};

const drainedWhileAnotherIsSilent: Episode = (dice) => {
  const [node = 1, other = 2] = dice.shuffled(numbers());
  return [
    { after: 0, fault: { kind: "freeze", node: other } },
    { after: dice.between(100, 1_500), fault: { kind: "thaw", node: other } },
    { after: 0, fault: { kind: "drain", node } },
    { after: dice.between(0, 1_000), fault: { kind: "start", node } },
  ];
};

const killedWhileAnotherIsSilent: Episode = (dice) => {
  const [node = 1, other = 2] = dice.shuffled(numbers());
  const lasting = dice.between(200, NOT_MISSED);
  const killedAfter = dice.between(0, Math.min(lasting, 500));
  const startedAfter = dice.between(0, 3_000);
  return inOrder([
    { at: 0, fault: { kind: "freeze", node: other } },
    { at: killedAfter, fault: { kind: "kill", node } },
    { at: lasting, fault: { kind: "thaw", node: other } },
    { at: killedAfter + startedAfter, fault: { kind: "start", node } },
  ]);
};

const killedWhileAnotherJoins: Episode = (dice, newcomer) => {
  const node = dice.between(1, NODES);
  const [joins, isKilled] = dice.shuffled([0, dice.between(0, 1_000)]);
  const back: Step[] = dice
    .shuffled<Step["fault"]>([
      { kind: "start", node },
      { kind: "drain", node: newcomer },
    ])
    .map((fault) => ({ after: dice.between(0, 2_000), fault }));
  return [
    ...inOrder([
      { at: joins ?? 0, fault: { kind: "join" } },
      { at: isKilled ?? 0, fault: { kind: "kill", node } },
    ]),
    ...back,
  ];
};

const killedAfterItJoined: Episode = (dice, newcomer) => [
  { after: dice.between(0, 1_000), fault: { kind: "join" } },
  { after: dice.between(100, 1_500), fault: { kind: "kill", node: newcomer } },
];

const restartStorm: Episode = (dice) => {
  const steps: Step[] = [];
  let killed = false;
  for (let round = dice.between(2, 3); round > 0; round -= 1) {
    for (const node of dice.shuffled(numbers())) {
      const kind = dice.pick(["kill", "drain"] as const);
      if (kind === "kill" && killed) steps.push({ after: 0, fault: { kind: "replicated" } });
      killed ||= kind === "kill";
      steps.push({ after: dice.between(0, 200), fault: { kind, node } });
      steps.push({ after: dice.between(0, 200), fault: { kind: "start", node } });
    }
  }
  return steps;
};

const pausedUnderLoad: Episode = (dice) => {
  const pauses = Array.from({ length: dice.between(1, 3) }, (): Step[] => {
    const node = dice.between(1, NODES);
    return [
      { after: dice.between(500, 2_000), fault: { kind: "freeze", node } },
      { after: dice.between(500, LONGEST_PAUSE), fault: { kind: "thaw", node } },
    ];
  });
  return [
    { after: 0, fault: { kind: "load", rate: UPLOADED } },
    ...pauses.flat(),
    { after: dice.between(500, 2_000), fault: { kind: "unload" } },
  ];
};

const networkFaults: readonly ((dice: Dice) => NetworkFault)[] = [
  (dice) => {
    const [one = 1, other = 2] = dice.shuffled(numbers());
    return { kind: "cut", between: [one, other] };
  },
  (dice) => {
    const [from = 1, to = 2] = dice.shuffled(numbers());
    return { kind: "mute", from, to };
  },
  (dice) => {
    const [alone = 1, ...others] = dice.shuffled(numbers());
    return { kind: "partition", sides: [[alone], others] };
  },
  () => ({ kind: "partition", sides: numbers().map((number) => [number]) }),
  (dice) => ({ kind: "lose", what: "datagrams", share: dice.between(1, 6) / 10 }),
  (dice) => ({ kind: "lose", what: "packets", share: dice.between(1, 15) / 100 }),
];

const broken: Episode = (dice) => [
  { after: dice.between(0, 1_000), fault: dice.pick(networkFaults)(dice) },
  { after: dice.between(200, 2 * COUNTED_OUT), fault: { kind: "heal" } },
];

const killedOnABadNetwork: Episode = (dice, newcomer) => [
  { after: 0, fault: { kind: "lose", what: "packets", share: dice.between(1, 5) / 100 } },
  ...killed(dice, newcomer),
  { after: dice.between(0, 2_000), fault: { kind: "heal" } },
];

const episodes = {
  killed,
  silent,
  drained,
  drainedWhileAnotherIsSilent,
  killedWhileAnotherIsSilent,
  killedWhileAnotherJoins,
  killedAfterItJoined,
  restartStorm,
  pausedUnderLoad,
  broken,
  killedOnABadNetwork,
} satisfies Record<string, Episode>;

/** The name of an {@link Episode}. */
export type EpisodeName = keyof typeof episodes;

export const EPISODES = Object.keys(episodes) as EpisodeName[];

/** What nodes on one host can have. */
export const NODE_FAULTS = EPISODES.filter((name) => name !== "broken" && name !== "killedOnABadNetwork");

/** What nodes on hosts of their own can have: the network breaks in many ways. */
export const ALL_FAULTS: readonly EpisodeName[] = [...EPISODES, "broken"];

/** So many episodes, drawn from these. */
export function plan(dice: Dice, count: number, among: readonly EpisodeName[]): Step[][] {
  let newcomer = NODES + 1;
  return Array.from({ length: count }, () => {
    const steps = episodes[dice.pick(among)](dice, newcomer);
    newcomer += steps.filter(({ fault }) => fault.kind === "join").length;
    return steps;
  });
}

/** Faults that begin at these times, in milliseconds. */
function inOrder(faults: readonly { at: number; fault: Step["fault"] }[]): Step[] {
  let former = 0;
  return [...faults]
    .sort((one, other) => one.at - other.at)
    .map(({ at, fault }) => {
      const step = { after: at - former, fault };
      former = at;
      return step;
    });
}

function numbers(): number[] {
  return Array.from({ length: NODES }, (_, index) => index + 1);
}
