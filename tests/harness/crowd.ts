import { setTimeout as sleep } from "node:timers/promises";
import { History } from "../history/history.ts";
import { client, connect, upgraded, type Client, type Transport } from "./client.ts";
import type { Dialect } from "./dialects.ts";
import { until, type Deadline } from "./wait.ts";

/** Where a member of a crowd sits. */
export interface Seat {
  url: string;
  transport: Transport;
  rooms: readonly string[];
}

/** A disconnect that nobody asked for. */
export interface Absence {
  at: number;
  reason: string;
  /** When the member was connected again and back in all its rooms. */
  backAt?: number;
}

export interface Member {
  readonly name: string;
  readonly seat: Seat;
  readonly socket: Client;
  readonly absences: Absence[];
  /** Connected and in all its rooms. */
  present: boolean;
  /** Whether an acknowledgement counts as a promise; see {@link Crowd.distrust}. */
  trusted: boolean;
}

const ARRIVING_AT_ONCE = 20;

/** Many clients that talk in rooms, and a history of all that they said and heard. */
export class Crowd {
  readonly history = new History();
  readonly members: Member[] = [];
  /** Messages that were not acknowledged, with the reason. */
  readonly failures: string[] = [];
  readonly #dialect: Dialect;

  private constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Seats a client on each seat; all are connected, upgraded where they upgrade, and in their rooms. */
  static async gather(dialect: Dialect, seats: readonly Seat[]): Promise<Crowd> {
    const crowd = new Crowd(dialect);
    for (let first = 0; first < seats.length; first += ARRIVING_AT_ONCE) {
      const arriving = seats.slice(first, first + ARRIVING_AT_ONCE);
      await Promise.all(arriving.map((seat, index) => crowd.#welcome(`guest${first + index + 1}`, seat)));
    }
    return crowd;
  }

  /** Every member says one thing in each of its rooms, and again, so many times. */
  async talk(rounds: number): Promise<void> {
    await Promise.all(
      this.members.map(async (member) => {
        for (let round = 0; round < rounds; round += 1) await this.#speak(member);
      }),
    );
  }

  /** Lets every member go on talking with pauses in between; the promise ends the talk. */
  keepTalking(pause: number): { stop: () => Promise<void> } {
    const stop = new AbortController();
    const talks = this.members.map(async (member, index) => {
      await sleep((pause * index) / this.members.length);
      while (!stop.signal.aborted) {
        if (member.present) await this.#speak(member);
        await sleep(pause);
      }
    });
    return {
      stop: async () => {
        stop.abort();
        await Promise.all(talks);
      },
    };
  }

  /**
   * What these members say from now on may be lost although it is acknowledged: the node that they talk to is about
   * to die, and may do so before it has passed on what it acknowledged. What was acknowledged before has been heard then.
   */
  async distrust(members: readonly Member[]): Promise<void> {
    const senders = new Set(members.map(({ name }) => name));
    for (const member of members) member.trusted = false;
    await until("what they said before is heard", () => this.history.outstandingOf(senders) === 0);
  }

  /** Waits until every member is connected and in its rooms. */
  async allPresent(deadline: Deadline): Promise<void> {
    await until(
      "every member is back in its rooms",
      () => {
        const missing = this.members.filter((member) => !member.present).map((member) => member.name);
        if (missing.length > 0)
          throw new Error(`missing: ${missing.join(" ")}; ${this.failures.slice(-3).join("; ")}`);
        return true;
      },
      deadline,
    );
  }

  /** Waits until everything has arrived that must, and then sees that nothing went wrong. */
  async verify(deadline: Deadline = { within: 15_000 }): Promise<void> {
    try {
      await until("everything said was heard", () => this.history.outstanding === 0, {
        every: 200,
        ...deadline,
      });
    } catch {
      // The history tells more about what is missing than the clock.
    }
    this.history.assertClean();
  }

  membersAt(url: string): Member[] {
    return this.members.filter((member) => member.seat.url === url);
  }

  /** Members that lost their connection at least once. */
  get interrupted(): Member[] {
    return this.members.filter((member) => member.absences.length > 0);
  }

  async #welcome(name: string, seat: Seat): Promise<void> {
    const { namespace, options } = this.#dialect;
    const socket = client(`${seat.url}${namespace}`, seat.transport, await options(seat.url, name));
    const member: Member = { name, seat, socket, absences: [], present: false, trusted: true };
    this.#dialect.onWords(socket, (room, { sender, number }) => {
      this.history.hear(room, name, sender, number);
    });
    await connect(socket);
    if (seat.transport === "upgrade") await upgraded(socket);
    for (const room of seat.rooms) {
      await this.#dialect.join(socket, room);
      this.history.enter(room, name);
    }
    member.present = true;
    this.members.push(member);
    socket.on("disconnect", (reason) => {
      member.present = false;
      this.history.wasAway(name);
      if (reason !== "io client disconnect") member.absences.push({ at: Date.now(), reason });
    });
    socket.on("connect", () => void this.#comeBack(member));
  }

  /** After a reconnect the server knows nothing of the rooms: a client joins them again, as a page would. */
  async #comeBack(member: Member): Promise<void> {
    try {
      for (const room of member.seat.rooms) await this.#dialect.join(member.socket, room);
    } catch (error) {
      // Disconnected again, most likely: the next connect tries once more.
      this.failures.push(`${member.name} could not rejoin: ${String(error)}`);
      return;
    }
    member.present = true;
    const absence = member.absences.at(-1);
    if (absence) absence.backAt = Date.now();
  }

  async #speak(member: Member): Promise<void> {
    for (const room of member.seat.rooms) {
      const number = this.history.say(room, member.name);
      try {
        await this.#dialect.say(member.socket, room, { sender: member.name, number });
        if (member.trusted) this.history.acknowledge(room, member.name, number);
      } catch (error) {
        this.failures.push(`${member.name} in ${room}: ${String(error)}`);
      }
    }
  }
}
