import assert from "node:assert/strict";
import { until } from "../harness/wait.ts";
import { type Membership, Person } from "./person.ts";
import { requireGapless, storedMessages } from "./stored.ts";
import { type Patience, Talker } from "./talker.ts";

/** Twelve people who talk in one room while something breaks, and what is true afterwards. */
export class Conversation {
  readonly talkers: readonly Talker[];
  readonly #room: Membership;
  readonly #stop = new AbortController();
  readonly #talks: Promise<void>[];

  private constructor(room: Membership, talkers: readonly Talker[]) {
    this.#room = room;
    this.talkers = talkers;
    this.#talks = talkers.map((talker) => talker.talk(this.#stop.signal));
    // Whoever stops the conversation sees the failure; before that it must not bring the test process down.
    for (const talk of this.#talks) talk.catch(() => undefined);
  }

  /** They come to these nodes in turn, by polling and by WebSocket, and begin. */
  static async begin(urls: readonly string[], patience: Patience, people = 12): Promise<Conversation> {
    const host = await Person.member(urls[0] ?? "");
    const room = await host.create();
    host.socket.disconnect();
    const talkers = await Promise.all(
      Array.from({ length: people }, (_, index) => Talker.arrive(urls, index, room.room, patience)),
    );
    return new Conversation(room, talkers);
  }

  get acknowledged(): number {
    return sum(this.talkers.map(({ acknowledged }) => acknowledged.size));
  }

  get unavailable(): number {
    return sum(this.talkers.map(({ unavailable }) => unavailable.length));
  }

  /** Waits until so many more are acknowledged, and each person has had one of them. */
  async goesOn(more = 100, deadline = 60_000): Promise<void> {
    const before = this.talkers.map(({ acknowledged }) => acknowledged.size);
    const wanted = sum(before) + more;
    await until(
      `${more} more messages are acknowledged, some of each person`,
      () =>
        this.acknowledged >= wanted &&
        this.talkers.every(({ acknowledged }, index) => acknowledged.size > (before[index] ?? 0)),
      { within: deadline },
    );
  }

  /** Ends it when everybody has an answer to what was said last. */
  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#talks);
  }

  /**
   * Nothing that was acknowledged is lost, nothing is there twice, no number is missing: in the store, which is read by
   * itself, and at everybody. Gives a line of figures.
   */
  async verify(store: string): Promise<string> {
    const stored = (await storedMessages(store)).get(this.#room.name) ?? [];
    const numbers = requireGapless(stored);
    for (const { name, acknowledged, refused, contradictions } of this.talkers) {
      assert.deepEqual(refused, [], `${name} was refused`);
      assert.deepEqual(contradictions, [], `${name} was told contradictions`);
      for (const [id, number] of acknowledged)
        assert.equal(numbers.get(id), number, `a message of ${name} that was acknowledged is not there`);
    }
    for (const talker of this.talkers) {
      await talker.catchUp();
      assert.equal(talker.known.size, stored.length, `${talker.name} knows of other messages`);
      for (const { number, id } of stored) assert.equal(talker.known.get(number), id);
    }
    const total = (count: (talker: Talker) => number) => sum(this.talkers.map(count));
    return [
      `${stored.length} messages stored`,
      `${this.acknowledged} acknowledged`,
      `${total(({ unanswered }) => unanswered.length)} sent again without an answer`,
      `${this.unavailable} after a refusal`,
      `${total(({ disconnects }) => disconnects.length)} disconnects`,
      `${total(({ fetched }) => fetched)} of ${stored.length * this.talkers.length} fetched by number`,
      `slowest answer ${Math.max(...this.talkers.map(({ slowest }) => slowest))} ms`,
    ].join(", ");
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
