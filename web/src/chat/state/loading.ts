/** What of a room's history is asked for, and what comes of the answers. */

import type { HistoryPage, HistoryPart } from "../protocol";
import type { Command, Event, Step } from "./events";
import type { Chatting } from "./model";
import {
  atEnd,
  firstNumber,
  hole,
  lastNumber,
  type Loading,
  withLoadFailed,
  withLoading,
  withChanges,
  withPage,
} from "./timeline";
import { activeRoom, findRoom, inRoom, inTurn, isReady, unchanged } from "./within";

/** Asks for a part; a `replace` overrides what is under way, anything else waits for it. */
export function load(state: Chatting, id: string, part: HistoryPart, how: Loading["how"]): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined || !isReady(state)) return unchanged(state);
  if (room.timeline.loading !== null && how !== "replace") return unchanged(state);
  const ask = state.nextId;
  const asking = inRoom({ ...state, nextId: ask + 1 }, id, (loading) => ({
    ...loading,
    timeline: withLoading(loading.timeline, { ask, part, how }),
  }));
  return { state: asking, commands: [{ type: "load history", room: id, ask, part }] };
}

/** The newest messages, unless the room has some already. */
export function ensureLoaded(state: Chatting, id: string): Step<Chatting> {
  return findRoom(state, id)?.timeline.loaded === false
    ? load(state, id, {}, "replace")
    : fillHole(state, id);
}

export function fillHole(state: Chatting, id: string): Step<Chatting> {
  const room = findRoom(state, id);
  const missing = room === undefined ? null : hole(room.timeline);
  return missing === null ? unchanged(state) : load(state, id, missing, "extend");
}

export function loadOlder(state: Chatting, id: string): Step<Chatting> {
  const timeline = findRoom(state, id)?.timeline;
  if (timeline?.loaded !== true || timeline.atStart || timeline.messages.length === 0)
    return unchanged(state);
  return load(state, id, { before: firstNumber(timeline) }, "extend");
}

export function loadNewer(state: Chatting, id: string): Step<Chatting> {
  const timeline = findRoom(state, id)?.timeline;
  if (timeline?.loaded !== true || atEnd(timeline)) return unchanged(state);
  return load(state, id, { after: lastNumber(timeline) }, "extend");
}

export function toNewest(state: Chatting, id: string): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined || atEnd(room.timeline)) return unchanged(state);
  return load(withoutTarget(state, id), id, {}, "replace");
}

/** Brings a message into view, with its surroundings. */
export function jump(state: Chatting, id: string, number: number): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined) return unchanged(state);
  const aimed: Chatting = inRoom({ ...state, nextId: state.nextId + 1 }, id, (aiming) => ({
    ...aiming,
    target: { number, ask: state.nextId },
  }));
  const held = room.timeline.messages.some((message) => message.number === number);
  return held ? unchanged(aimed) : load(aimed, id, { around: number }, "replace");
}

export function jumpToDate(state: Chatting, id: string, time: number): Step<Chatting> {
  return load(withoutTarget(state, id), id, { date: time }, "replace");
}

/** After an absence: asks for what has been said and changed meanwhile, from where the reader is. */
export function refresh(state: Chatting, id: string): Step<Chatting> {
  const room = findRoom(state, id);
  if (room?.timeline.loaded !== true) return ensureLoaded(state, id);
  const { timeline, membership } = room;
  // A reader of the past is brought what came meanwhile on the way back.
  const current = atEnd(timeline);
  const behind = inRoom(state, id, (before) => ({
    ...before,
    stale: true,
    timeline: { ...timeline, newest: Math.max(timeline.newest, membership.last) },
  }));
  return inTurn(
    behind,
    (now) => (current ? load(now, id, {}, "extend") : unchanged(now)),
    (now) => askForChanges(now),
  );
}

/** Asks what happened to the messages of the open room while changes could be missed. */
export function askForChanges(state: Chatting): Step<Chatting> {
  const room = activeRoom(state);
  if (room?.stale !== true || !room.timeline.loaded || !isReady(state)) return unchanged(state);
  const { membership, timeline } = room;
  return {
    state: inRoom(state, membership.room, (asking) => ({ ...asking, stale: false })),
    commands: [{ type: "load changes", room: membership.room, since: timeline.changed, parts: 1 }],
  };
}

/** With more than so many answers, it is less to load what is shown anew. */
const PARTS_OF_CHANGES = 4;

type ChangesLoaded = Extract<Event, { type: "changes loaded" }>;

export function afterChanges(state: Chatting, { room: id, messages, changed, more, parts }: ChangesLoaded) {
  const taken = inRoom(state, id, (room) => ({
    ...room,
    timeline: withChanges(room.timeline, messages, changed),
  }));
  const timeline = findRoom(taken, id)?.timeline;
  if (!more || timeline === undefined) return unchanged(taken);
  if (parts < PARTS_OF_CHANGES) {
    const command: Command = { type: "load changes", room: id, since: changed, parts: parts + 1 };
    return { state: taken, commands: [command] };
  }
  const middle = timeline.messages[Math.floor(timeline.messages.length / 2)]?.number ?? 1;
  return load(taken, id, atEnd(timeline) ? {} : { around: middle }, "replace");
}

export function afterPage(state: Chatting, id: string, ask: number, page: HistoryPage): Step<Chatting> {
  const taken = inRoom(state, id, (room) => {
    const { loading } = room.timeline;
    if (loading?.ask !== ask) return room;
    const timeline = withPage(room.timeline, ask, page);
    const first = "date" in loading.part ? dateTarget(page, loading.part.date) : null;
    return { ...room, timeline, target: first === null ? room.target : { number: first, ask } };
  });
  return fillHole(taken, id);
}

function dateTarget(page: HistoryPage, date: number): number | null {
  return (page.messages.find(({ time }) => time >= date) ?? page.messages.at(-1))?.number ?? null;
}

export function afterLoadFailed(state: Chatting, id: string, ask: number, problem: string | null): Chatting {
  return inRoom(state, id, (room) => ({
    ...room,
    timeline: withLoadFailed(room.timeline, ask, problem ?? (isReady(state) ? "No answer came." : null)),
  }));
}

function withoutTarget(state: Chatting, id: string): Chatting {
  return inRoom(state, id, (room) => (room.target === null ? room : { ...room, target: null }));
}
