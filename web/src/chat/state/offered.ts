import type { RoomSummary } from "../protocol";
import type { Chatting } from "./model";

/** Rooms one could join, the fullest first, of those whose name contains what is being typed. */
export function offeredRooms(state: Chatting, typed: string): RoomSummary[] {
  const joined = new Set(state.rooms.map(({ name }) => name));
  const busy = new Set(state.busyRooms.map(({ room }) => room));
  const empty = state.suggestedRooms.filter((room) => !busy.has(room)).map((room) => ({ room, members: 0 }));
  const sought = typed.trim().toLocaleLowerCase();
  return [...state.busyRooms, ...empty]
    .filter(({ room }) => !joined.has(room) && room.toLocaleLowerCase().includes(sought))
    .sort((a, b) => b.members - a.members || a.room.localeCompare(b.room));
}
