import type { Member, RoomDeparture, RoomMember, RoomMessage } from "../protocol";
import { ENTRIES_DROPPED, ENTRIES_KEPT, type Entry, type Message, type Room } from "./model";
import { withoutEchoed } from "./outbox";

/** A room that we have asked to join. */
export function joiningRoom(name: string): Room {
  return {
    name,
    membership: { is: "joining" },
    members: [],
    entries: [],
    outbox: [],
    draft: "",
    unread: 0,
    newFrom: null,
  };
}

/** What the person sees now decides what counts as unread. */
export interface Arrival {
  readonly id: number;
  readonly at: number;
  /** The socket id of this page. */
  readonly self: string | null;
  readonly seen: boolean;
}

export function withMessage(room: Room, received: RoomMessage, arrival: Arrival): Room {
  const own = received.id === arrival.self;
  const message: Message = {
    type: "message",
    id: arrival.id,
    at: arrival.at,
    user: received.user,
    from: received.id,
    own,
    kind: received.kind,
    text: received.message,
  };
  const shown = withEntry(room, message);
  if (own) return { ...shown, outbox: withoutEchoed(room.outbox, message) };
  if (arrival.seen) return shown;
  return { ...shown, unread: room.unread + 1, newFrom: room.unread === 0 ? message.id : room.newFrom };
}

/** Told twice (a list and an event may cross) it is announced once. */
export function withMemberJoined(room: Room, { id, user }: RoomMember, entry: EntryStamp): Room {
  if (room.members.some((member) => member.id === id)) return room;
  return withEntry(
    { ...room, members: [...room.members, { id, user }] },
    { type: "notice", ...entry, user, change: "joined", reason: null },
  );
}

export function withMemberLeft(room: Room, departure: RoomDeparture, entry: EntryStamp): Room {
  if (room.members.every((member) => member.id !== departure.id)) return room;
  return withEntry(
    { ...room, members: room.members.filter((member) => member.id !== departure.id) },
    { type: "notice", ...entry, user: departure.user, change: "left", reason: departure.reason ?? null },
  );
}

/** Who came and who went by a new list of members, compared with the one shown. */
export function memberChanges(room: Room, members: readonly Member[]): { joined: Member[]; left: Member[] } {
  const before = new Set(room.members.map(({ id }) => id));
  const after = new Set(members.map(({ id }) => id));
  return {
    joined: members.filter(({ id }) => !before.has(id)),
    left: room.members.filter(({ id }) => !after.has(id)),
  };
}

/** The room when its session is begun anew: to be joined again, and with a mark where messages may be missing. */
export function withSessionLost(room: Room, entry: EntryStamp): Room {
  const lost: Room = { ...room, membership: { is: "joining" }, members: [] };
  const last = room.entries.at(-1);
  return last === undefined || last.type === "gap" ? lost : withEntry(lost, { type: "gap", ...entry });
}

export function opened(room: Room): Room {
  return room.unread === 0 ? room : { ...room, unread: 0 };
}

/** The mark of what is new has done its work once the reader turns to another room. */
export function closed(room: Room): Room {
  return room.newFrom === null ? room : { ...room, newFrom: null };
}

interface EntryStamp {
  readonly id: number;
  readonly at: number;
}

function withEntry(room: Room, entry: Entry): Room {
  const full = room.entries.length >= ENTRIES_KEPT;
  const kept = full ? room.entries.slice(ENTRIES_DROPPED) : room.entries;
  return { ...room, entries: [...kept, entry] };
}
