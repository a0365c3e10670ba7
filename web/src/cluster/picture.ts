import type { Member, MembersTold, Row, SessionsTold, Transport } from "./protocol";

export interface Session {
  readonly tag: number;
  readonly owner: string;
  readonly ingress: string;
  readonly transport: Transport | null;
}

/** One thing that changed. */
export type Happening =
  | { readonly what: "appeared" | "ended" | "changed"; readonly session: Session }
  | { readonly what: "moved"; readonly session: Session; readonly from: string }
  | {
      readonly what: "joining" | "joined" | "leaving" | "left" | "lost" | "restarted";
      readonly node: string;
    };

/** The cluster as far as it was told: who is a member, and where sessions are. */
export class Picture {
  readonly sessions = new Map<number, Session>();
  members: readonly Member[] = [];
  version: string | null = null;

  /** Gives what changed, or null if these are changes of another picture than this one. */
  takeSessions(told: SessionsTold): Happening[] | null {
    if (told.from !== null && told.from !== this.version) return null;
    this.version = told.version;
    const happenings = told.seen.flatMap((row) => this.#see(row));
    for (const tag of told.from === null ? this.#unseen(told.seen) : told.ended) {
      const session = this.sessions.get(tag);
      if (session === undefined) continue;
      this.sessions.delete(tag);
      happenings.push({ what: "ended", session });
    }
    return happenings;
  }

  takeMembers({ members }: MembersTold): Happening[] {
    const before = this.members;
    this.members = members;
    return [
      ...members.flatMap((member) => arrival(named(before, member.name), member)),
      ...before.flatMap((member) => (named(members, member.name) === undefined ? [departure(member)] : [])),
    ];
  }

  #see([tag, owner, ingress, transport]: Row): Happening[] {
    const before = this.sessions.get(tag);
    const session = { tag, owner, ingress, transport };
    this.sessions.set(tag, session);
    if (before === undefined) return [{ what: "appeared", session }];
    if (before.owner !== owner) return [{ what: "moved", session, from: before.owner }];
    const same = before.ingress === ingress && before.transport === transport;
    return same ? [] : [{ what: "changed", session }];
  }

  #unseen(seen: readonly Row[]): number[] {
    const tags = new Set(seen.map(([tag]) => tag));
    return [...this.sessions.keys()].filter((tag) => !tags.has(tag));
  }
}

function named(members: readonly Member[], name: string): Member | undefined {
  return members.find((member) => member.name === name);
}

function arrival(before: Member | undefined, now: Member): Happening[] {
  const node = now.name;
  if (before !== undefined && before.incarnation !== now.incarnation) return [{ what: "restarted", node }];
  if (before?.phase === now.phase) return [];
  if (now.phase === "up") return [{ what: "joined", node }];
  return [{ what: now.phase, node }];
}

/** Who had not said goodbye is lost. */
function departure({ name, phase }: Member): Happening {
  return { what: phase === "leaving" ? "left" : "lost", node: name };
}
