import { atRandom, type Order } from "../harness/scatter.ts";

/** Choices that are the same for the same seed. */
export class Dice {
  readonly #below: Order;

  constructor(seed: number) {
    this.#below = atRandom(seed);
  }

  /** A whole number of `least..=most`. */
  between(least: number, most: number): number {
    return least + this.#below(most - least + 1);
  }

  pick<T>(among: readonly T[]): T {
    const picked = among[this.#below(among.length)];
    if (picked === undefined) throw new Error("there is nothing to pick from");
    return picked;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const shuffled: T[] = [];
    while (left.length > 0) shuffled.push(...left.splice(this.#below(left.length), 1));
    return shuffled;
  }
}
