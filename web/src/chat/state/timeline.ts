/**
 * The messages of a room that the page holds: a window of consecutive numbers, somewhere in the room's history. What is
 * published may arrive twice, out of order, or beyond a hole; the window grows by what fits, and says what to ask for.
 */

import type { HistoryPage, HistoryPart, Message } from "../protocol";

export interface Timeline {
  /** Consecutive numbers, oldest first. */
  readonly messages: readonly Message[];
  /** Arrived before what lies between them and the window; by number, at most `AHEAD_KEPT`. */
  readonly ahead: readonly Message[];
  /** The highest number that is known to exist in the room. */
  readonly newest: number;
  /** Nothing older is kept by the server. */
  readonly atStart: boolean;
  /** The room's count of changes up to which the messages are as they were then, or later. */
  readonly changed: number;
  readonly loaded: boolean;
  readonly loading: Loading | null;
  /** Why the last attempt to load failed. */
  readonly problem: string | null;
}

/** What has been asked for. `ask` tells an answer from that to an earlier question. */
export interface Loading {
  readonly ask: number;
  readonly part: HistoryPart;
  /** `extend` joins what comes to the window, `replace` puts it in the place of the window. */
  readonly how: "extend" | "replace";
}

/** As many as the page shows: what a day's memory and the browser bear. */
export const WINDOW = 400;

/** Beyond a hole: more are asked for again when the hole is filled. */
export const AHEAD_KEPT = 100;

/** Asked for at a time. */
export const PAGE = 50;

export const EMPTY_TIMELINE: Timeline = {
  messages: [],
  ahead: [],
  newest: 0,
  atStart: false,
  changed: 0,
  loaded: false,
  loading: null,
  problem: null,
};

export const firstNumber = ({ messages }: Timeline): number => messages[0]?.number ?? 0;
export const lastNumber = ({ messages }: Timeline): number => messages.at(-1)?.number ?? 0;

/** Whether the window reaches to the room's last message. */
export function atEnd(timeline: Timeline): boolean {
  return timeline.loaded && lastNumber(timeline) >= timeline.newest;
}

/** Takes a published message. */
export function withArrived(timeline: Timeline, message: Message): Timeline {
  const wasAtEnd = atEnd(timeline) || timeline.ahead.length > 0;
  const known = { ...timeline, newest: Math.max(timeline.newest, message.number) };
  if (!timeline.loaded) return known;
  // Where the reader looks at the past, what is new is asked for on the way back.
  if (!wasAtEnd && message.number > lastNumber(timeline) + 1) return known;
  if (message.number <= lastNumber(timeline)) return known;
  return joined({ ...known, ahead: inserted(timeline.ahead, message) }, "end");
}

/** Takes a message that was edited, deleted or reacted to, unless a later change of it is here already. */
export function withChanged(timeline: Timeline, message: Message): Timeline {
  const held = [...timeline.messages, ...timeline.ahead].find(({ number }) => number === message.number);
  const next = message.changed === timeline.changed + 1 ? message.changed : timeline.changed;
  const known = next === timeline.changed ? timeline : { ...timeline, changed: next };
  if (held === undefined) return withQuoteChanged(known, message);
  if (isLater(held, message)) return known;
  const replaced = (other: Message) => (other === held ? message : other);
  return withQuoteChanged(
    { ...known, messages: known.messages.map(replaced), ahead: known.ahead.map(replaced) },
    message,
  );
}

/** Takes what has been changed while changes could be missed; from now on all is as of `changed`. */
export function withChanges(timeline: Timeline, messages: readonly Message[], changed: number): Timeline {
  const taken = messages.reduce(withChanged, timeline);
  return { ...taken, changed: Math.max(taken.changed, changed) };
}

/** A quote shows nothing of a message that has been deleted. */
function withQuoteChanged(timeline: Timeline, { number, deleted }: Message): Timeline {
  if (deleted !== true || !timeline.messages.some(({ replyTo }) => replyTo?.number === number))
    return timeline;
  const messages = timeline.messages.map((other) =>
    other.replyTo?.number === number ? { ...other, replyTo: { number } } : other,
  );
  return { ...timeline, messages };
}

export function withLoading(timeline: Timeline, loading: Loading): Timeline {
  return { ...timeline, loading, problem: null };
}

export function withLoadFailed(timeline: Timeline, ask: number, problem: string | null): Timeline {
  return timeline.loading?.ask === ask ? { ...timeline, loading: null, problem } : timeline;
}

/** Takes a page of the history, if it is the one that was asked for last. */
export function withPage(timeline: Timeline, ask: number, page: HistoryPage): Timeline {
  if (timeline.loading?.ask !== ask) return timeline;
  const { how } = timeline.loading;
  const settled: Timeline = {
    ...timeline,
    loaded: true,
    loading: null,
    problem: null,
    newest: Math.max(timeline.newest, page.last),
  };
  const touches = page.messages.some(
    ({ number }) => number >= firstNumber(timeline) - 1 && number <= lastNumber(timeline) + 1,
  );
  if (how === "replace" || timeline.messages.length === 0 || (page.messages.length > 0 && !touches)) {
    const { messages, changed } = page;
    return joined({ ...settled, messages, changed, atStart: !page.more.before }, "end");
  }
  const begins = (page.messages[0]?.number ?? Infinity) < firstNumber(timeline);
  const asksForOlder = "before" in timeline.loading.part;
  const merged = merge(timeline.messages, page.messages);
  const atStart = begins || asksForOlder ? !page.more.before : timeline.atStart;
  return joined({ ...settled, messages: merged, atStart }, asksForOlder ? "start" : "end");
}

/** What is to be asked for so that the window has no hole before what has arrived beyond it; null if there is none. */
export function hole(timeline: Timeline): HistoryPart | null {
  if (!timeline.loaded || timeline.loading !== null || timeline.ahead.length === 0) return null;
  return { after: lastNumber(timeline) };
}

/** Moves to the window what has come next to it, and keeps the window's size at the end where it does not grow. */
function joined(timeline: Timeline, grows: "start" | "end"): Timeline {
  const messages = [...timeline.messages];
  const ahead: Message[] = [];
  for (const message of timeline.ahead) {
    const next = (messages.at(-1)?.number ?? message.number - 1) + 1;
    if (message.number === next) messages.push(message);
    else if (message.number > next) ahead.push(message);
  }
  const excess = messages.length - WINDOW;
  if (excess <= 0) return { ...timeline, messages, ahead };
  return grows === "end"
    ? { ...timeline, messages: messages.slice(excess), ahead, atStart: false }
    : { ...timeline, messages: messages.slice(0, WINDOW), ahead: [] };
}

/** Both by number. Of two of the same number the one that was changed later stays. */
function merge(held: readonly Message[], page: readonly Message[]): Message[] {
  const byNumber = new Map(held.map((message) => [message.number, message]));
  for (const message of page) {
    const mine = byNumber.get(message.number);
    if (mine === undefined || !isLater(mine, message)) byNumber.set(message.number, message);
  }
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

function isLater({ changed = 0 }: Message, other: Message): boolean {
  return changed > (other.changed ?? 0);
}

function inserted(ahead: readonly Message[], message: Message): readonly Message[] {
  if (ahead.some(({ number }) => number === message.number)) return ahead;
  const sorted = [...ahead, message].sort((a, b) => a.number - b.number);
  return sorted.slice(0, AHEAD_KEPT);
}
