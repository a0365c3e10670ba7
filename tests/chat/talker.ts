import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "../harness/client.ts";
import { type Answer, type Message, Person, type Refusal } from "./person.ts";

/** Between two messages of one person. */
const PAUSE_MS = 40;

/** How a talker sees to it that what it says is stored. */
export interface Patience {
  /** How long an answer is waited for before the message is sent again. */
  againAfterMs: number;
}

/** Somebody who sends each message until it is acknowledged, and fills gaps by number, as a page does. */
export class Talker {
  /** The numbers of what was acknowledged, by the id of the message. */
  readonly acknowledged = new Map<string, number>();
  /** The ids of all messages of the room that it knows of, by number. */
  readonly known = new Map<number, string>();
  /** What should never be: one message under two numbers, or two messages under one. */
  readonly contradictions: string[] = [];
  /** Refusals because the store did not answer; the message was sent again. */
  readonly unavailable: Refusal[] = [];
  /** Refusals for any other reason; the message was given up. */
  readonly refused: Refusal[] = [];
  /** Ids of messages that were not answered in time, and sent again. */
  readonly unanswered: string[] = [];
  readonly disconnects: string[] = [];
  /** How many messages it knows of since it asked for them, and not since it was told. */
  fetched = 0;
  /** The longest time that passed before an answer, in milliseconds. */
  slowest = 0;
  readonly #person: Person;
  readonly #room: string;
  readonly #patience: Patience;
  readonly #numbers = new Map<string, number>();

  private constructor(person: Person, room: string, urls: readonly string[], patience: Patience) {
    this.#person = person;
    this.#room = room;
    this.#patience = patience;
    let door = 0;
    person.socket.io.on("reconnect_attempt", () => {
      // The manager has no public way to go elsewhere; it reads this at each attempt.
      door += 1;
      Object.assign(person.socket.io, { uri: `${urls[door % urls.length] ?? ""}/chat` });
    });
    person.socket.on("disconnect", (reason) => this.disconnects.push(reason));
    person.socket.on("message", (message: Message) => {
      if (message.room === room) this.#learn(message);
    });
  }

  get name(): string {
    return this.#person.name;
  }

  static async arrive(
    urls: readonly string[],
    index: number,
    room: string,
    patience: Patience,
  ): Promise<Talker> {
    const transport: Transport = index % 3 ? "websocket" : "polling";
    const person = await Person.guest(urls[index % urls.length] ?? "", undefined, transport);
    const talker = new Talker(person, room, urls, patience);
    await person.join(room);
    return talker;
  }

  /** Talks until it is to stop, and until what it said last is acknowledged or refused for good. */
  async talk(stop: AbortSignal): Promise<void> {
    for (let count = 1; !stop.aborted; count += 1) {
      await this.#send({ room: this.#room, id: randomUUID(), text: `${this.name}: ${count}` });
      await sleep(PAUSE_MS);
    }
  }

  /** Asks for what comes after the last number before which none is missing, until nothing does. */
  async catchUp(): Promise<void> {
    for (;;) {
      let after = 0;
      while (this.known.has(after + 1)) after += 1;
      const asked = { room: this.#room, after };
      const { messages = [], more } = await this.#person.must("message.history", asked);
      for (const message of messages) if (this.#learn(message)) this.fetched += 1;
      if (typeof more !== "object" || !more.after) return;
    }
  }

  async #send(message: { room: string; id: string; text: string }): Promise<void> {
    for (;;) {
      const answer = await this.#ask(message);
      if (answer === undefined) {
        this.unanswered.push(message.id);
      } else if (answer.ok) {
        this.acknowledged.set(message.id, answer.number ?? 0);
        return;
      } else if (answer.error?.code === "unavailable") {
        this.unavailable.push(answer.error);
        await sleep(answer.error.retryAfterMs);
      } else {
        this.refused.push(answer.error ?? { code: "none", message: "a refusal without a reason" });
        return;
      }
    }
  }

  /** Nothing when no answer came in time. */
  async #ask(message: object): Promise<Answer | undefined> {
    const began = Date.now();
    try {
      const asking = this.#person.socket.timeout(this.#patience.againAfterMs);
      const answer = (await asking.emitWithAck("message.send", message)) as Answer;
      this.slowest = Math.max(this.slowest, Date.now() - began);
      return answer;
    } catch {
      // The client rejects with nothing but that it took too long.
      return undefined;
    }
  }

  /** Says whether it is new. */
  #learn({ number, id }: Message): boolean {
    const [knownId, knownNumber] = [this.known.get(number), this.#numbers.get(id)];
    if ((knownId ?? id) !== id || (knownNumber ?? number) !== number)
      this.contradictions.push(`message ${id} is number ${number}; ${knownId} is ${knownNumber}`);
    this.known.set(number, id);
    this.#numbers.set(id, number);
    return knownId === undefined;
  }
}
