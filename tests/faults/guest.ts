import { setTimeout as sleep } from "node:timers/promises";
import type { History } from "../history/history.ts";
import { client, connect, type Client, type Transport } from "../harness/client.ts";
import { until } from "../harness/wait.ts";
import type { Dice } from "./dice.ts";

/** How long an answer may take: longer than a silent node needs to be found out and its work to be taken over. */
const ANSWER_WITHIN = 20_000;

/** How many messages a guest has under way at once, at most. */
const BURST = 3;

export interface Seat {
  transport: Transport;
  rooms: readonly string[];
  /** Where to connect, in turn: the next is tried at each attempt to reconnect. */
  doors: () => readonly string[];
}

export interface Absence {
  at: number;
  reason: string;
  /** When the client was connected and in its rooms again, and whether as the one that it was. */
  back?: { at: number; recovered: boolean };
}

interface Words {
  sender: string;
  number: number;
}

/**
 * A person with a stock client, who talks and listens in some rooms for as long as the test runs.
 *
 * What is promised is promised to a socket that keeps its identity (`recovered`, or never disconnected). So a client that
 * comes back as somebody new begins a new *life*: in the history that is another member, and another sender.
 */
export class Guest {
  readonly name: string;
  readonly seat: Seat;
  readonly socket: Client;
  readonly absences: Absence[] = [];
  readonly unacknowledged: string[] = [];
  /** Messages that were not answered although the client stayed connected. */
  unanswered = 0;
  readonly #history: History;
  readonly #tell: (line: string) => void;
  /** How the nodes' logs name its session. */
  #session = "";
  #lives = 1;
  #openings = 0;
  #recoveries = 0;
  readonly #latest = new Map<string, number>();
  #present = false;
  /** How many bursts of messages are under way. */
  #speaking = 0;
  #door: number;

  constructor(name: string, seat: Seat, firstDoor: number, history: History, tell: (line: string) => void) {
    this.name = name;
    this.seat = seat;
    this.#door = firstDoor;
    this.#history = history;
    this.#tell = tell;
    this.socket = client(this.#nextDoor(), seat.transport);
    this.#listen();
  }

  /** Connected and in all its rooms. */
  get present(): boolean {
    return this.#present;
  }

  get transport(): string | undefined {
    return this.socket.connected ? this.socket.io.engine.transport.name : undefined;
  }

  /** How often it came back without being recognised. */
  get reborn(): number {
    return this.#lives - 1;
  }

  /**
   * How many sessions it may have left behind: those in which it did not come back to its socket. When a connection breaks before the
   * client hears that it is somebody new, that one is left behind, too.
   */
  get abandoned(): number {
    return Math.max(0, this.#openings - 1 - this.#recoveries);
  }

  async arrive(): Promise<void> {
    await connect(this.socket);
    await until(`${this.name} in its rooms`, () => this.#present, { within: 20_000 });
  }

  /** Whether it waits for answers to what it said. */
  get isSpeaking(): boolean {
    return this.#speaking > 0;
  }

  /** Says something in each room a few times over, not waiting for one answer before the next message. Says whether all were answered. */
  async speak(times: number): Promise<boolean> {
    const life = this.#life;
    const messages = Array.from({ length: times }, () => this.seat.rooms).flat();
    this.#speaking += 1;
    const answered = await Promise.all(messages.map((room) => this.#say(room, life)));
    this.#speaking -= 1;
    return !answered.includes(false);
  }

  /** Says something now and then; nothing new during a `lull`. */
  async keepTalking(
    pause: number,
    dice: Dice,
    stop: AbortSignal,
    lull: () => Promise<void> | undefined,
  ): Promise<void> {
    await sleep(dice.between(0, pause));
    while (!stop.aborted) {
      await lull();
      if (this.#present) await this.speak(dice.between(1, BURST));
      await sleep(pause + dice.between(0, pause));
    }
  }

  get #life(): string {
    return this.#lives === 1 ? this.name : `${this.name}'${this.#lives}`;
  }

  #nextDoor(): string {
    const doors = this.seat.doors();
    const door = doors[this.#door++ % doors.length];
    if (door === undefined) throw new Error("there is no node to connect to");
    return door;
  }

  #listen(): void {
    this.socket.io.on("open", () => {
      this.#openings += 1;
    });
    this.socket.io.on("reconnect_attempt", () => {
      // The manager has no public way to go elsewhere; it reads this at each attempt.
      Object.assign(this.socket.io, { uri: this.#nextDoor() });
    });
    this.socket.on("connect", () => void this.#connected());
    this.socket.on("disconnect", (reason) => {
      this.#present = false;
      this.#tell(`${this.#life} (session ${this.#session}) is disconnected: ${reason}`);
      this.absences.push({ at: Date.now(), reason });
    });
    this.socket.on("message", (room: string, { sender, number }: Words) => {
      // What comes between the server's joining and its answer is a present.
      if (this.#history.isIn(room, this.#life)) this.#hear(room, sender, number);
    });
  }

  #hear(room: string, sender: string, number: number): void {
    this.#history.hear(room, this.#life, sender, number);
    // The verdict is the history's; this tells when it went wrong.
    const latest = this.#latest.get(`${room} ${sender}`) ?? 0;
    if (number <= latest) this.#tell(`${this.#life} hears ${number} of ${sender} after ${latest}`);
    else if (latest > 0 && number > latest + 1)
      this.#tell(`${this.#life} hears ${number} of ${sender} right after ${latest}`);
    this.#latest.set(`${room} ${sender}`, Math.max(latest, number));
  }

  async #connected(): Promise<void> {
    const { recovered, id } = this.socket;
    this.#session = this.socket.io.engine.id.slice(0, 6);
    const absence = this.absences.at(-1);
    if (recovered) this.#recoveries += 1;
    if (absence && !recovered) {
      this.#history.brokeOff(this.#life);
      this.#lives += 1;
    }
    for (const room of this.seat.rooms) {
      if (!(await this.#enter(room, id))) return;
    }
    this.#present = true;
    if (!absence) {
      this.#tell(`${this.#life} (session ${this.#session}) is in by ${this.transport ?? "nothing"}`);
      return;
    }
    absence.back = { at: Date.now(), recovered };
    const how = recovered ? "as it was" : "as somebody new";
    this.#tell(
      `${this.#life} (session ${this.#session}) is back ${how} after ${absence.back.at - absence.at} ms`,
    );
  }

  /** Joins a room unless it is in it. Says whether the connection is still the same then. */
  async #enter(room: string, id: string | undefined): Promise<boolean> {
    const life = this.#life;
    while (this.socket.id === id && this.#life === life && !this.#history.isIn(room, life)) {
      try {
        await this.socket.timeout(ANSWER_WITHIN).emitWithAck("join", room);
        this.#history.enter(room, life);
      } catch (error) {
        this.#tell(`${life} could not join ${room}: ${String(error)}`);
        await sleep(10);
      }
    }
    return this.socket.id === id;
  }

  async #say(room: string, life: string): Promise<boolean> {
    const number = this.#history.say(room, life);
    const words: Words = { sender: life, number };
    const absences = this.absences.length;
    try {
      await this.socket.timeout(ANSWER_WITHIN).emitWithAck("publish", room, words);
      this.#history.acknowledge(room, life, number);
      return true;
    } catch (error) {
      this.unacknowledged.push(`${life} in ${room}, ${number}: ${String(error)}`);
      if (absences === this.absences.length) {
        this.unanswered += 1;
        this.#tell(`${life} (session ${this.#session}) got no answer to ${number} in ${ANSWER_WITHIN} ms`);
      }
      return false;
    }
  }
}
