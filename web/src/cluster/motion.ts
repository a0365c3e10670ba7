/** Values that take their time to change. Times in milliseconds. */

/** Slow, fast, slow; never so fast that the eye cannot follow. */
export function eased(part: number): number {
  return part * part * (3 - 2 * part);
}

/** A number on its way from one value to another. */
export class Gliding {
  #from: number;
  #to: number;
  #start = 0;
  #duration = 0;

  constructor(value: number) {
    this.#from = value;
    this.#to = value;
  }

  get target(): number {
    return this.#to;
  }

  glide(to: number, now: number, duration: number): void {
    if (to === this.#to) return;
    this.#from = this.at(now);
    this.#to = to;
    this.#start = now;
    this.#duration = duration;
  }

  at(now: number): number {
    if (this.isDone(now)) return this.#to;
    return this.#from + (this.#to - this.#from) * eased(Math.max(0, (now - this.#start) / this.#duration));
  }

  isDone(now: number): boolean {
    return now >= this.#start + this.#duration;
  }
}
