import { setTimeout as sleep } from "node:timers/promises";

/** How long a condition may take unless a test says otherwise: generous, because CI shares two cores. */
export const DEFAULT_DEADLINE_MS = 10_000;

export interface Deadline {
  /** Milliseconds until the wait is given up. */
  within?: number;
  /** Milliseconds between two looks. */
  every?: number;
}

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/** Looks again and again until `probe` gives something truthy, and gives that back. */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
  { within = DEFAULT_DEADLINE_MS, every = 25 }: Deadline = {},
): Promise<Truthy<T>> {
  const deadline = Date.now() + within;
  let last: unknown;
  do {
    try {
      const seen = await probe();
      if (seen) return seen as Truthy<T>;
      last = seen;
    } catch (error) {
      last = error;
    }
    await sleep(every);
  } while (Date.now() < deadline);
  throw new Error(`not within ${within} ms: ${what} (last seen: ${String(last)})`);
}

/** Bounds a promise, so that a test that waits for nothing says for what. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  const abandon = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(milliseconds, undefined, { signal: abandon.signal }).then(() => {
        throw new Error(`not within ${milliseconds} ms: ${what}`);
      }),
    ]);
  } finally {
    abandon.abort();
  }
}

/** Longer than a request takes to get to its node, and from there to the session's owner, on a busy machine. */
const ARRIVED_MS = 500;

/**
 * True when a poll is pending after so long that it has reached its session, and hangs there. Only what is sent afterwards comes after
 * it: requests of several connections have no order.
 */
export function hangs(poll: Promise<unknown>): Promise<boolean> {
  return staysPending(ARRIVED_MS, poll);
}

/** True when `promise` is still pending after `milliseconds`: for the few rules about what must *not* happen. */
export async function staysPending(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, sleep(milliseconds, pending)])) === pending;
}
