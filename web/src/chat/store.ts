import type { Command, Event, Step } from "./state/events";
import type { State } from "./state/model";
import { update } from "./state/update";

export type Dispatch = (event: Event) => void;

/** Holds the state, and applies events one after another, also those that a command causes at once. */
export class Store {
  #state: State;
  readonly #pending: Event[] = [];
  #applying = false;

  constructor(
    initial: State,
    private readonly perform: (command: Command) => void,
    private readonly changed: (state: State) => void,
  ) {
    this.#state = initial;
  }

  get state(): State {
    return this.#state;
  }

  readonly dispatch: Dispatch = (event) => {
    this.#pending.push(event);
    if (this.#applying) return;
    this.#applying = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        this.#apply(update(this.#state, next));
      }
    } finally {
      this.#applying = false;
    }
  };

  #apply({ state, commands }: Step): void {
    const before = this.#state;
    this.#state = state;
    commands.forEach(this.perform);
    if (state !== before) this.changed(state);
  }
}
