import type { Sight } from "./feed";
import type { Entry } from "./log";
import type { Hello, Member } from "./protocol";

/** What the page shows in words. */
export interface Model {
  readonly sight: Sight;
  /** Who tells, if anybody has yet. */
  readonly hello: Hello | null;
  readonly members: readonly Member[];
  /** Sessions that are drawn, which may be fewer than there are. */
  readonly shown: number;
  readonly log: readonly Entry[];
  /** Per node, which colour is its own. */
  readonly hues: ReadonlyMap<string, number>;
}

/** Sessions of all nodes that answer. */
export function sessionsOf(members: readonly Member[]): number {
  return members.reduce((sum, { sessions }) => sum + (sessions?.owned ?? 0), 0);
}
