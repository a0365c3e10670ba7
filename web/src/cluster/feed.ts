import { io, type Socket } from "socket.io-client";
import type { ClientEvents, MembersTold, ServerEvents, SessionsTold } from "./protocol";

/** How often a node is told that somebody still watches, in milliseconds. */
const SAY_EVERY = 5_000;
/** A node that looks tells twice a second; after this long without a word it is asked. */
const SILENCE = 1_600;
/** Between two questions. */
const PATIENCE = 600;
const TICK = 250;
const ANSWER_TIMEOUT = 4_000;

/** How much is seen now. */
export type Sight = "connecting" | "live" | "lost";

export interface Hearer {
  readonly sight: (sight: Sight, transport: string) => void;
  /** False when these are changes of a picture that is not ours. */
  readonly sessions: (told: SessionsTold) => boolean;
  readonly members: (told: MembersTold) => void;
  readonly you: (tag: number) => void;
  /** The version that is known. */
  readonly version: () => string | null;
}

/** Watches a cluster through whichever node answers, and asks again whenever it lost the thread. */
export class Feed {
  readonly #socket: Socket<ServerEvents, ClientEvents> = io("/cluster", {
    reconnectionDelay: 300,
    reconnectionDelayMax: 3_000,
  });
  readonly #hearer: Hearer;
  #asked = -Infinity;
  #heard = -Infinity;

  constructor(hearer: Hearer) {
    this.#hearer = hearer;
    const socket = this.#socket;
    const seen = () => {
      hearer.sight("live", socket.io.engine.transport.name);
    };
    socket.on("connect", () => {
      seen();
      socket.io.engine.once("upgrade", seen);
      this.#watch();
    });
    socket.on("disconnect", (reason) => {
      hearer.sight("lost", "");
      if (reason === "io server disconnect") socket.connect();
    });
    socket.on("sessions", (told) => {
      this.#heard = performance.now();
      if (!hearer.sessions(told)) this.#watchSoon();
    });
    socket.on("members", (told) => {
      this.#heard = performance.now();
      hearer.members(told);
      if (told.version !== hearer.version()) this.#watchSoon();
    });
    setInterval(() => {
      this.#tick();
    }, TICK);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#asked > SAY_EVERY || now - this.#heard > SILENCE) this.#watchSoon();
  }

  #watchSoon(): void {
    if (this.#socket.connected && performance.now() - this.#asked > PATIENCE) this.#watch();
  }

  #watch(): void {
    this.#asked = performance.now();
    const have = { version: this.#hearer.version() };
    this.#socket.timeout(ANSWER_TIMEOUT).emit("watch", have, (error: Error | null, answer) => {
      // Who is not answered asks again anyway.
      if (error === null) this.#hearer.you(answer.you);
    });
  }
}
