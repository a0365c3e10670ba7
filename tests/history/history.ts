/** One thing that went wrong between a sender and a receiver in a room. */
export interface Violation {
  kind: "lost" | "doubled" | "reordered" | "unsaid";
  room: string;
  receiver: string;
  sender: string;
  /** The numbers of the messages concerned; for `reordered` those that came after a later one. */
  numbers: number[];
}

interface Said {
  /** Messages are numbered from 1 for each sender and room. */
  last: number;
  acknowledged: Set<number>;
}

interface Membership {
  /** How far each sender had come when the member entered: what was said before is no concern of his. */
  since: Map<string, number>;
  /** Numbers as they arrived, by sender. */
  heard: Map<string, number[]>;
  presence: Presence;
}

/** Which messages a member must have heard of those said since it entered. */
type Presence = "throughout" | "away in between" | "broken off";

/**
 * What was said in some rooms, and who heard it in which order. Afterwards {@link violations} tells whether every
 * message that was acknowledged to its sender was received exactly once, and in the sender's order, by everyone
 * who was in the room from before it was said. A message that was not acknowledged may be heard or not, but not
 * twice; so may any message by one who was away in between.
 */
export class History {
  readonly #said = new Map<string, Map<string, Said>>();
  readonly #members = new Map<string, Map<string, Membership>>();

  /** From now on this member is in the room: the room has acknowledged it. */
  enter(room: string, member: string): void {
    const since = new Map([...this.#sendersIn(room)].map(([sender, { last }]) => [sender, last]));
    inner(this.#members, room).set(member, { since, heard: new Map(), presence: "throughout" });
  }

  isIn(room: string, member: string): boolean {
    return this.#members.get(room)?.has(member) ?? false;
  }

  /** The member lost the connection: it may miss messages, but must not hear one twice. */
  wasAway(member: string): void {
    this.#changePresence(member, "away in between");
  }

  /**
   * The member is gone for good, at a moment that nobody knows exactly: what it heard must be without a gap up to the
   * last it heard of each sender, and what came after it may have missed.
   */
  brokeOff(member: string): void {
    this.#changePresence(member, "broken off");
  }

  /** The sender is about to say something; gives the number that tells this message from all others. */
  say(room: string, sender: string): number {
    const said = this.#sendersIn(room).get(sender) ?? { last: 0, acknowledged: new Set() };
    inner(this.#said, room).set(sender, said);
    said.last += 1;
    return said.last;
  }

  acknowledge(room: string, sender: string, number: number): void {
    this.#sendersIn(room).get(sender)?.acknowledged.add(number);
  }

  hear(room: string, receiver: string, sender: string, number: number): void {
    const membership = this.#members.get(room)?.get(receiver);
    if (!membership) throw new Error(`${receiver} heard something in ${room} without having entered it`);
    const numbers = membership.heard.get(sender) ?? [];
    membership.heard.set(sender, numbers);
    numbers.push(number);
  }

  /** Deliveries that are still to come, to members that were never away. */
  get outstanding(): number {
    return countLost(this.violations());
  }

  /** Those of messages of these senders. */
  outstandingOf(senders: ReadonlySet<string>): number {
    return countLost(this.violations().filter(({ sender }) => senders.has(sender)));
  }

  /** Messages said and acknowledged, and deliveries of messages of any kind. */
  get totals(): { said: number; acknowledged: number; heard: number } {
    const totals = { said: 0, acknowledged: 0, heard: 0 };
    for (const senders of this.#said.values()) {
      for (const { last, acknowledged } of senders.values()) {
        totals.said += last;
        totals.acknowledged += acknowledged.size;
      }
    }
    for (const members of this.#members.values()) {
      for (const { heard } of members.values()) {
        for (const numbers of heard.values()) totals.heard += numbers.length;
      }
    }
    return totals;
  }

  violations(): Violation[] {
    const violations: Violation[] = [];
    for (const [room, members] of this.#members) {
      for (const [receiver, membership] of members) {
        const senders = new Set([...this.#sendersIn(room).keys(), ...membership.heard.keys()]);
        for (const sender of senders) {
          const said = this.#sendersIn(room).get(sender) ?? { last: 0, acknowledged: new Set() };
          for (const [kind, numbers] of Object.entries(examine(said, membership, sender))) {
            if (numbers.length > 0)
              violations.push({ kind: kind as Violation["kind"], room, receiver, sender, numbers });
          }
        }
      }
    }
    return violations;
  }

  /** Throws with a readable account of everything that went wrong. */
  assertClean(): void {
    const violations = this.violations();
    if (violations.length > 0) throw new Error(account(violations));
  }

  #changePresence(member: string, presence: Presence): void {
    for (const members of this.#members.values()) {
      const membership = members.get(member);
      if (membership) membership.presence = presence;
    }
  }

  #sendersIn(room: string): Map<string, Said> {
    return inner(this.#said, room);
  }
}

function countLost(violations: readonly Violation[]): number {
  return violations
    .filter(({ kind }) => kind === "lost")
    .reduce((sum, { numbers }) => sum + numbers.length, 0);
}

function examine(said: Said, membership: Membership, sender: string): Record<Violation["kind"], number[]> {
  const heard = membership.heard.get(sender) ?? [];
  const found: Record<Violation["kind"], number[]> = { lost: [], doubled: [], reordered: [], unsaid: [] };
  const seen = new Set<number>();
  let latest = 0;
  for (const number of heard) {
    if (number < 1 || number > said.last) found.unsaid.push(number);
    else if (seen.has(number)) found.doubled.push(number);
    else if (number < latest) found.reordered.push(number);
    seen.add(number);
    latest = Math.max(latest, number);
  }
  const { presence, since } = membership;
  const after = since.get(sender) ?? 0;
  const upTo = { throughout: said.last, "broken off": latest, "away in between": 0 }[presence];
  for (const number of said.acknowledged)
    if (number > after && number <= upTo && !seen.has(number)) found.lost.push(number);
  return found;
}

const ACCOUNTS_SHOWN = 20;
const NUMBERS_SHOWN = 15;

function account(violations: readonly Violation[]): string {
  const lines = violations.slice(0, ACCOUNTS_SHOWN).map(({ kind, room, receiver, sender, numbers }) => {
    const shown = numbers.slice(0, NUMBERS_SHOWN).join(", ");
    const more = numbers.length > NUMBERS_SHOWN ? `, … (${numbers.length} in all)` : "";
    return `  ${kind}: ${receiver} in ${room}, messages of ${sender}: ${shown}${more}`;
  });
  if (violations.length > ACCOUNTS_SHOWN) lines.push(`  … and ${violations.length - ACCOUNTS_SHOWN} more`);
  const counts = new Map<string, number>();
  for (const { kind, numbers } of violations) counts.set(kind, (counts.get(kind) ?? 0) + numbers.length);
  const sums = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  return `the history is not clean: ${sums}\n${lines.join("\n")}`;
}

function inner<K, L, V>(outer: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const found = outer.get(key);
  if (found) return found;
  const created = new Map<L, V>();
  outer.set(key, created);
  return created;
}
