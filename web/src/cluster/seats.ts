/** Who sits where in one area. Seats near the middle are taken first, and who has one keeps it while there are no gaps. */
export class Seats {
  readonly #sitting: (number | undefined)[] = [];
  readonly #seatOf = new Map<number, number>();

  get count(): number {
    return this.#seatOf.size;
  }

  seatOf(tag: number): number | undefined {
    return this.#seatOf.get(tag);
  }

  take(tag: number): number {
    const free = this.#sitting.indexOf(undefined);
    const seat = free === -1 ? this.#sitting.length : free;
    this.#sitting[seat] = tag;
    this.#seatOf.set(tag, seat);
    return seat;
  }

  leave(tag: number): void {
    const seat = this.#seatOf.get(tag);
    if (seat === undefined) return;
    this.#seatOf.delete(tag);
    this.#sitting[seat] = undefined;
  }

  /** Moves those at the rim into gaps, and tells who has moved, and from which seat. */
  closeGaps(): { tag: number; from: number }[] {
    const moved: { tag: number; from: number }[] = [];
    for (;;) {
      while (this.#sitting.length > 0 && this.#sitting.at(-1) === undefined) this.#sitting.pop();
      const from = this.#sitting.length - 1;
      const last = this.#sitting[from];
      if (last === undefined || this.#seatOf.size === this.#sitting.length) return moved;
      this.leave(last);
      this.take(last);
      moved.push({ tag: last, from });
    }
  }
}
