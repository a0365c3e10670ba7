import type { Dice } from "./dice.ts";
import type { NetworkFault, Step } from "./fault.ts";

/** Nodes that there are from the start. */
export const NODES = 3;

/** Long enough for the nodes to count a silent one out, with the default timeouts; in milliseconds. */
const COUNTED_OUT = 5_000;

/**
 * What may happen to a cluster of {@link NODES} nodes, chosen by the dice: a few faults, at the end of which the same
 * nodes run and the network is whole. Never are two nodes lost at once: of each session there are two copies.
 */
export type Episode = (dice: Dice) => Step[];

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

const onOneHost: readonly Episode[] = [killed, silent, drained, drainedWhileAnotherIsSilent];

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

const killedOnABadNetwork: Episode = (dice) => [
  { after: 0, fault: { kind: "lose", what: "packets", share: dice.between(1, 5) / 100 } },
  ...killed(dice),
  { after: dice.between(0, 2_000), fault: { kind: "heal" } },
];

const betweenHosts: readonly Episode[] = [...onOneHost, broken, broken, killedOnABadNetwork];

/** So many episodes; with `hosts`, the network may break, too. */
export function plan(dice: Dice, episodes: number, hosts: boolean): Step[][] {
  return Array.from({ length: episodes }, () => dice.pick(hosts ? betweenHosts : onOneHost)(dice));
}

function numbers(): number[] {
  return Array.from({ length: NODES }, (_, index) => index + 1);
}
