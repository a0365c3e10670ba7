/** Which rooms there are, which one is open, and who is in them. */

import type { MembersChange, Membership, PresenceChange, ServerEvents } from "../protocol";
import { seeing, tellRead } from "./arriving";
import { forgotten } from "./attaching";
import type { Command, Event, Step } from "./events";
import { ensureLoaded, refresh } from "./loading";
import {
  type Chatting,
  type MemberList,
  PERSONS_PAGE,
  type Presence,
  PRESENCE_EVERY,
  type Room,
  TYPING_FOR,
} from "./model";
import { EMPTY_TIMELINE } from "./timeline";
import {
  activeRoom,
  findRoom,
  inEveryRoom,
  inOrder,
  inRoom,
  inTurn,
  isReady,
  newRoom,
  roomTitle,
  unchanged,
  withToast,
} from "./within";

/** The server has said all that the person has: what is here is brought into line with it. */
export function welcomed(state: Chatting, { person, rooms, invitations, limits }: Welcome): Step<Chatting> {
  const held = rooms.map((membership) => {
    const known = findRoom(state, membership.room);
    const kept = state.kept.find(({ room }) => room === membership.room);
    return known === undefined ? newRoom(membership, kept) : renewed(known, membership, state.activeRoom);
  });
  const ordered = inOrder(held);
  const active = ordered.find(({ membership }) => membership.room === state.activeRoom) ?? ordered[0];
  const now: Chatting = {
    ...state,
    person,
    invitations,
    limits,
    welcomed: true,
    rooms: ordered,
    activeRoom: null,
    kept: [],
  };
  const lost = state.rooms.filter(({ membership }) => findRoom(now, membership.room) === undefined);
  const freed = { state: now, commands: forgotten(lost.flatMap(({ uploads }) => uploads)) };
  if (active === undefined) return freed;
  const id = active.membership.room;
  const isNew = state.activeRoom !== id || findRoom(state, id) === undefined;
  return inTurn(
    now,
    () => freed,
    ...(isNew
      ? [(at: Chatting) => openRoom(at, id)]
      : [(at: Chatting) => refresh({ ...at, activeRoom: id }, id), attend]),
  );
}

type Welcome = Parameters<ServerEvents["welcome"]>[0];

/** A room after an absence. What nobody looks at is forgotten, and loaded again when it is opened. */
function renewed(room: Room, membership: Membership, active: string | null): Room {
  const shown = membership.room === active;
  const timeline = shown ? room.timeline : { ...EMPTY_TIMELINE, newest: membership.last };
  return {
    ...room,
    membership: { ...membership, read: Math.max(membership.read, room.membership.read) },
    counted: membership.last,
    toldRead: membership.read,
    timeline: { ...timeline, loading: null },
    presence: { ...room.presence, persons: null, stale: true, askedAt: 0 },
    members: null,
    typing: [],
  };
}

export function openRoom(state: Chatting, id: string): Step<Chatting> {
  if (findRoom(state, id) === undefined || state.activeRoom === id) return unchanged(state);
  const left = state.activeRoom === null ? state : inRoom(state, state.activeRoom, closed);
  const opened = inRoom({ ...left, activeRoom: id }, id, (room) => ({
    ...room,
    newFrom: room.membership.unread > 0 ? room.membership.read + 1 : null,
  }));
  return inTurn(
    opened,
    (now) => ensureLoaded(now, id),
    attend,
    (now) => unchanged(seeing(now)),
    tellRead,
  );
}

/** The mark of what is new has done its work once the reader turns to another room. */
function closed(room: Room): Room {
  return room.newFrom === null && room.target === null ? room : { ...room, newFrom: null, target: null };
}

export function openNeighbour(state: Chatting, step: 1 | -1): Step<Chatting> {
  const count = state.rooms.length;
  const active = state.rooms.findIndex(({ membership }) => membership.room === state.activeRoom);
  const neighbour = state.rooms[(active + step + count) % count];
  return neighbour === undefined ? unchanged(state) : openRoom(state, neighbour.membership.room);
}

/** Asks who is in the open room, where it is not known. */
export function attend(state: Chatting): Step<Chatting> {
  const room = activeRoom(state);
  if (room === undefined || !isReady(state)) return unchanged(state);
  const id = room.membership.room;
  const commands: Command[] = [];
  const { persons, wanted } = room.presence;
  if (persons === null) commands.push({ type: "list presence", room: id, most: wanted });
  if (room.members?.stale !== false) commands.push({ type: "list members", room: id, after: null });
  if (commands.length === 0) return unchanged(state);
  return { state: inRoom(state, id, asked), commands };
}

function asked(room: Room): Room {
  const members = room.members === null ? null : { ...room.members, stale: false };
  return { ...room, members, presence: { ...room.presence, stale: false } };
}

/** Asks again for a list that is out of date, now and then. */
export function renewPresence(state: Chatting, at: number): Step<Chatting> {
  const room = activeRoom(state);
  if (room === undefined || !isReady(state)) return unchanged(state);
  const { presence, membership, members } = room;
  const { room: id } = membership;
  if (!presence.stale || at - presence.askedAt < PRESENCE_EVERY) return unchanged(state);
  const commands: Command[] = [{ type: "list presence", room: id, most: presence.wanted }];
  // Of a room so large that its list goes on only a part is shown: that waits until the room is opened again. Otherwise all its
  // members would ask at once, again and again, while many come and go.
  const askMembers = members === null || (members.stale && members.next === null);
  if (askMembers) commands.push({ type: "list members", room: id, after: null });
  return {
    state: inRoom(state, id, (asking) => ({
      ...(askMembers ? asked(asking) : asking),
      presence: { ...presence, stale: false, askedAt: at },
    })),
    commands,
  };
}

export function listMorePersons(state: Chatting, id: string): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined || !isReady(state)) return unchanged(state);
  const wanted = room.presence.wanted + PERSONS_PAGE;
  return {
    state: inRoom(state, id, (more) => ({ ...more, presence: { ...more.presence, wanted } })),
    commands: [{ type: "list presence", room: id, most: wanted }],
  };
}

export function listMoreMembers(state: Chatting, id: string): Step<Chatting> {
  const after = findRoom(state, id)?.members?.next ?? null;
  if (after === null || !isReady(state)) return unchanged(state);
  return { state, commands: [{ type: "list members", room: id, after }] };
}

type MembersListed = Extract<Event, { type: "members listed" }>;

/** The first part of the list takes the place of what was known; a later one only goes where the list ends. */
export function membersListed(state: Chatting, { room: id, after, members, next }: MembersListed): Chatting {
  return inRoom(state, id, (room) => {
    if (after === null) return { ...room, members: { members, next, stale: false } };
    if (room.members?.next !== after) return room;
    const fresh = new Set(members.map(({ name }) => name));
    const before = room.members.members.filter(({ name }) => !fresh.has(name));
    return { ...room, members: { ...room.members, members: [...before, ...members], next } };
  });
}

export function presenceTold(state: Chatting, change: PresenceChange): Chatting {
  return inRoom(state, change.room, (room) => ({ ...room, presence: withPresence(room.presence, change) }));
}

function withPresence(presence: Presence, { count, joined, left }: PresenceChange): Presence {
  if (joined === undefined && left === undefined) return { ...presence, count, stale: true };
  if (presence.persons === null) return { ...presence, count };
  const gone = new Set([...(left ?? []), ...(joined ?? [])].map(({ name }) => name));
  const stayed = presence.persons.filter(({ name }) => !gone.has(name));
  return { ...presence, count, persons: [...stayed, ...(joined ?? [])].slice(0, presence.wanted) };
}

export function membersChanged(state: Chatting, { room: id, changed }: MembersChange): Chatting {
  return inRoom(state, id, (room) => {
    if (changed === undefined) {
      const { members, presence } = room;
      return members === null
        ? room
        : { ...room, members: { ...members, stale: true }, presence: { ...presence, stale: true } };
    }
    const own = changed.find(({ name }) => name === state.person.name)?.role ?? null;
    return {
      ...room,
      membership: own === null ? room.membership : { ...room.membership, role: own },
      members: withMembers(room.members, changed),
    };
  });
}

function withMembers(
  list: MemberList | null,
  changed: NonNullable<MembersChange["changed"]>,
): MemberList | null {
  if (list === null) return null;
  const names = new Set(changed.map(({ name }) => name));
  const others = list.members.filter(({ name }) => !names.has(name));
  const here = changed.flatMap(({ role, ...person }) => (role === null ? [] : [{ ...person, role }]));
  return { ...list, members: [...others, ...here] };
}

export function roomJoined(state: Chatting, membership: Membership): Chatting {
  const known = findRoom(state, membership.room);
  const room: Room =
    known === undefined
      ? newRoom(membership, undefined)
      : { ...known, membership: { ...membership, read: Math.max(membership.read, known.membership.read) } };
  const others = state.rooms.filter((other) => other !== known);
  const invitations = state.invitations.filter(({ room: invited }) => invited !== membership.room);
  return seeing({ ...state, invitations, rooms: inOrder([...others, room]) });
}

export function roomLeft(
  state: Chatting,
  { room: id, reason, by }: Parameters<ServerEvents["room.left"]>[0],
): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined) return unchanged(state);
  const place = state.rooms.indexOf(room);
  const rooms = state.rooms.toSpliced(place, 1);
  const gone: Chatting = { ...state, rooms };
  const whom = by === undefined ? "" : ` by ${by}`;
  const verb = reason === "banned" ? "banned from" : "removed from";
  const told =
    reason === "left" ? gone : withToast(gone, `You were ${verb} ${roomTitle(room.membership)}${whom}.`);
  const neighbour = state.activeRoom === id ? rooms[Math.min(place, rooms.length - 1)] : undefined;
  const activeRoom = state.activeRoom === id ? null : state.activeRoom;
  return inTurn(
    { ...told, activeRoom },
    (now) => ({ state: now, commands: forgotten(room.uploads) }),
    (now) => (neighbour === undefined ? unchanged(now) : openRoom(now, neighbour.membership.room)),
  );
}

export function typingTold(state: Chatting, id: string, name: string, at: number): Chatting {
  return inRoom(state, id, (room) => ({
    ...room,
    typing: [...room.typing.filter((typist) => typist.name !== name), { name, until: at + TYPING_FOR }],
  }));
}

export function typingOver(state: Chatting, at: number): Chatting {
  return inEveryRoom(state, (room) =>
    room.typing.some(({ until }) => until <= at)
      ? { ...room, typing: room.typing.filter(({ until }) => until > at) }
      : room,
  );
}
