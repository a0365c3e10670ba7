import type { Program } from "../harness/programs.ts";

/** Something bad that is done to a cluster, or undone again. Nodes are numbered from 1. */
export type Fault =
  /** SIGKILL. */
  | { kind: "kill"; node: number }
  /** Starts a node that is down again, under its old name; with another program from now on, if one is given. */
  | { kind: "start"; node: number; program?: Program }
  /** SIGSTOP: the node is silent, while its kernel goes on accepting what is sent to it. */
  | { kind: "freeze"; node: number }
  | { kind: "thaw"; node: number }
  /** SIGTERM: the node hands everything off and leaves. */
  | { kind: "drain"; node: number }
  /** One node more, which knows all that run. */
  | { kind: "join" }
  /** Clients who do not chat upload so many bytes a second. */
  | { kind: "load"; rate: number }
  | { kind: "unload" }
  /** No harm: waits until each session has two copies again, so that one more node may be killed. */
  | { kind: "replicated" }
  | NetworkFault;

/** What can be done between hosts; not on loopback, which all nodes share. */
export type NetworkFault =
  /** Nothing reaches `to` from `from`, though it may the other way round. */
  | { kind: "mute"; from: number; to: number }
  /** Nothing goes between these two in either direction. */
  | { kind: "cut"; between: readonly [number, number] }
  /** Nodes reach only those of their own side. */
  | { kind: "partition"; sides: readonly (readonly number[])[] }
  /** This share of what nodes send each other is lost. */
  | { kind: "lose"; what: "datagrams" | "packets"; share: number }
  /** What nodes send each other arrives so many milliseconds later. */
  | { kind: "delay"; by: number }
  /** Each link of a node carries so many bytes a second, in either direction. */
  | { kind: "narrow"; node: number; rate: number }
  /** The network is as good as new. */
  | { kind: "heal" };

/** A fault, and how long to wait before it, in milliseconds. */
export interface Step {
  after: number;
  fault: Fault;
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case "kill":
      return `kill -9 node${fault.node}`;
    case "start":
    case "freeze":
    case "thaw":
    case "drain":
      return `${fault.kind} node${fault.node}`;
    case "join":
      return "a node joins";
    case "load":
      return `upload ${fault.rate / 1_000_000} MB a second`;
    case "unload":
      return "no more uploads";
    case "replicated":
      return "wait until each session has two copies";
    case "mute":
      return `nothing reaches node${fault.to} from node${fault.from}`;
    case "cut":
      return `cut between node${fault.between[0]} and node${fault.between[1]}`;
    case "partition":
      return `partition ${fault.sides.map((side) => side.join("+")).join(" | ")}`;
    case "lose":
      return `lose ${fault.share * 100} % of ${fault.what}`;
    case "delay":
      return `delay by ${fault.by} ms`;
    case "narrow":
      return `links of node${fault.node} carry ${fault.rate} bytes a second`;
    case "heal":
      return "heal the network";
  }
}
