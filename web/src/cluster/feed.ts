import type { Hello, MembersTold, SessionsTold } from "./protocol";

const FEED = "/status/feed";
/** A node tells twice a second; after this long without a word, in milliseconds, it is asked anew. */
const SILENCE = 4_000;
/** Between two attempts. */
const PAUSE = 1_000;
const TICK = 250;

/** How much is seen now. */
export type Sight = "connecting" | "live" | "lost";

export interface Hearer {
  readonly sight: (sight: Sight) => void;
  readonly hello: (told: Hello) => void;
  /** False when these are changes of a picture that is not ours. */
  readonly sessions: (told: SessionsTold) => boolean;
  readonly members: (told: MembersTold) => void;
}

/** Watches a cluster through whichever node answers, and asks again whenever it lost the thread. */
export class Feed {
  readonly #hearer: Hearer;
  #source: EventSource | null = null;
  #asked = -Infinity;
  #heard = -Infinity;

  constructor(hearer: Hearer) {
    this.#hearer = hearer;
    this.#ask();
    setInterval(() => {
      this.#tick();
    }, TICK);
  }

  #tick(): void {
    const now = performance.now();
    if (this.#source !== null && now - Math.max(this.#heard, this.#asked) > SILENCE) this.#lose();
    if (this.#source === null && now - this.#asked > PAUSE) this.#ask();
  }

  #ask(): void {
    this.#asked = performance.now();
    const source = new EventSource(FEED);
    this.#source = source;
    // It would try again by itself, but for answers that are none.
    source.onerror = () => {
      this.#lose();
    };
    const on = (name: string, hear: (told: unknown) => void) => {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.#heard = performance.now();
        hear(JSON.parse(event.data));
      });
    };
    on("hello", (told) => {
      this.#hearer.hello(told as Hello);
      this.#hearer.sight("live");
    });
    on("sessions", (told) => {
      if (!this.#hearer.sessions(told as SessionsTold)) this.#lose();
    });
    on("members", (told) => {
      this.#hearer.members(told as MembersTold);
    });
  }

  #lose(): void {
    this.#source?.close();
    this.#source = null;
    this.#hearer.sight("lost");
  }
}
