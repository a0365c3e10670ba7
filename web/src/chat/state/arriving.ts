/** What is said in a room, and what of it is new to the reader. */

import type { Message } from "../protocol";
import { mentions, sameName } from "../text/mentions";
import { summary } from "../text/summary";
import type { Command, Step } from "./events";
import { fillHole } from "./loading";
import type { Chatting, Room } from "./model";
import { withoutOutgoing } from "./outbox";
import { atEnd, lastNumber, withArrived, withChanged } from "./timeline";
import { findRoom, inRoom, inTurn, isReady, roomTitle, unchanged } from "./within";

/** Takes a published message: once, however often and in whatever order it comes. */
export function arrived(state: Chatting, message: Message): Step<Chatting> {
  const room = findRoom(state, message.room);
  if (room === undefined) return unchanged(state);
  const own = sameName(message.author.name, state.person.name);
  const seen = isSeen(state, message.room);
  const fresh = message.number > room.counted && !holds(room, message.number);
  const taken = inRoom(state, message.room, (before) => {
    const { membership } = before;
    const unread = fresh && !own && !seen ? membership.unread + 1 : membership.unread;
    return {
      ...before,
      membership: { ...membership, last: Math.max(membership.last, message.number), unread },
      timeline: withArrived(before.timeline, message),
      outbox: own ? withoutOutgoing(before.outbox, message.id) : before.outbox,
      typing: before.typing.filter(({ name }) => name !== message.author.name),
      newFrom: newFromAfter(state, before, message, own, seen),
    };
  });
  const told = fresh && !own && !seen ? notice(state, room, message) : [];
  return inTurn(
    taken,
    (now) => ({ state: now, commands: told }),
    (now) => fillHole(now, message.room),
    (now) => unchanged(seeing(now)),
  );
}

function holds({ timeline }: Room, number: number): boolean {
  const held = (message: Message) => message.number === number;
  return (number <= lastNumber(timeline) && timeline.messages.some(held)) || timeline.ahead.some(held);
}

/** The mark of what is new appears in the open room while nobody looks at it. */
function newFromAfter(
  state: Chatting,
  room: Room,
  { number }: Message,
  own: boolean,
  seen: boolean,
): number | null {
  if (own) return null;
  const opened = state.activeRoom === room.membership.room;
  return opened && !seen && room.newFrom === null ? number : room.newFrom;
}

export function changed(state: Chatting, message: Message): Chatting {
  return inRoom(state, message.room, (room) => ({ ...room, timeline: withChanged(room.timeline, message) }));
}

/** Whether what comes at the end of a room is seen as it comes. */
function isSeen(state: Chatting, id: string): boolean {
  return state.pageVisible && state.activeRoom === id;
}

/** The room that is looked at counts as read up to its last message. The server is told with the next `tellRead`. */
export function seeing(state: Chatting): Chatting {
  const id = state.activeRoom;
  if (id === null || !state.pageVisible) return state;
  return inRoom(state, id, (room) => {
    const read = lastNumber(room.timeline);
    const { membership } = room;
    if (!atEnd(room.timeline) || (read <= membership.read && membership.unread === 0)) return room;
    return { ...room, membership: { ...membership, read: Math.max(read, membership.read), unread: 0 } };
  });
}

/** Tells the server how far the person has read, where it does not know. */
export function tellRead(state: Chatting): Step<Chatting> {
  if (!isReady(state)) return unchanged(state);
  const untold = state.rooms.filter(({ membership, toldRead }) => membership.read > toldRead);
  if (untold.length === 0) return unchanged(state);
  const rooms = state.rooms.map((room) =>
    untold.includes(room) ? { ...room, toldRead: room.membership.read } : room,
  );
  const commands = untold.map(({ membership: { room, read } }): Command => ({
    type: "mark read",
    room,
    number: read,
  }));
  return { state: { ...state, rooms }, commands };
}

/** Another device, or the server's answer, says how far the person has read. */
export function readTold(state: Chatting, id: string, read: number, unread: number): Chatting {
  const told = inRoom(state, id, (room) => {
    const { membership } = room;
    if (read < membership.read) return { ...room, toldRead: Math.max(room.toldRead, read) };
    const known = room.newFrom !== null && read >= room.newFrom && !isSeen(state, id);
    return {
      ...room,
      membership: { ...membership, read, unread },
      counted: membership.last,
      toldRead: Math.max(room.toldRead, read),
      newFrom: known ? null : room.newFrom,
    };
  });
  return seeing(told);
}

/** What is said to somebody calls for attention: mentions and direct messages, unless the room is muted. */
function notice({ person }: Chatting, { membership }: Room, message: Message): Command[] {
  if (membership.muted || message.kind === "notice") return [];
  const called = membership.kind === "direct" || mentions(message.text, person.name);
  if (!called) return [];
  const where = membership.kind === "direct" ? "" : ` in ${roomTitle(membership)}`;
  const title = `${message.author.name}${where}`;
  return [{ type: "notify", room: membership.room, title, text: summary(message).slice(0, 200) }];
}
