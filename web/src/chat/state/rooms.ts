/** Which rooms there are, which one is open, and who is in them. */

import type { Member } from "../protocol";
import type { Outcome, Step } from "./events";
import type { Chatting, Room } from "./model";
import { closed, joiningRoom, memberChanges, opened, withMemberJoined, withMemberLeft } from "./room";
import { flush } from "./sending";
import { arriving, findRoom, ifOnline, inRoom, isOnline, unchanged, withToast } from "./within";

export function joinRoom(state: Chatting, name: string): Step {
  if (name === "") return unchanged(state);
  const known = findRoom(state, name);
  if (known === undefined) {
    const wasLeft = state.leftUnheard.includes(name);
    const joining: Chatting = {
      ...state,
      rooms: [...state.rooms, joiningRoom(name)],
      leftUnheard: state.leftUnheard.filter((left) => left !== name),
    };
    return ifOnline(openRoom(joining, name), { type: wasLeft ? "rejoin" : "join", room: name });
  }
  const shown = openRoom(state, name);
  if (known.membership.is !== "failed") return unchanged(shown);
  const again = inRoom(shown, name, (room) => ({ ...room, membership: { is: "joining" } }));
  return ifOnline(again, { type: "rejoin", room: name });
}

export function leaveRoom(state: Chatting, name: string): Step {
  const place = state.rooms.findIndex((room) => room.name === name);
  if (place < 0) return unchanged(state);
  const rooms = state.rooms.toSpliced(place, 1);
  const left: Chatting = { ...state, rooms };
  const neighbour = rooms[Math.min(place, rooms.length - 1)]?.name ?? null;
  const moved = state.activeRoom === name ? seeActiveRoom({ ...left, activeRoom: neighbour }) : left;
  return isOnline(state)
    ? { state: moved, commands: [{ type: "leave", room: name }] }
    : unchanged(rememberLeft(moved, name));
}

/** For a room that the server may still count us in, unless it was joined again meanwhile. */
export function rememberLeft(state: Chatting, name: string): Chatting {
  if (findRoom(state, name) !== undefined || state.leftUnheard.includes(name)) return state;
  return { ...state, leftUnheard: [...state.leftUnheard, name] };
}

export function openRoom(state: Chatting, name: string): Chatting {
  if (findRoom(state, name) === undefined || state.activeRoom === name) return state;
  const rooms = state.rooms.map((room) => (room.name === state.activeRoom ? closed(room) : room));
  return seeActiveRoom({ ...state, rooms, activeRoom: name });
}

export function openNeighbour(state: Chatting, step: 1 | -1): Chatting {
  const count = state.rooms.length;
  const active = state.rooms.findIndex(({ name }) => name === state.activeRoom);
  const neighbour = state.rooms[(active + step + count) % count];
  return neighbour === undefined ? state : openRoom(state, neighbour.name);
}

export function seeActiveRoom(state: Chatting): Chatting {
  return state.activeRoom === null ? state : inRoom(state, state.activeRoom, opened);
}

export function afterJoin(state: Chatting, name: string, outcome: Outcome<readonly Member[]>): Step {
  const room = findRoom(state, name);
  if (room === undefined) return unchanged(state);
  switch (outcome.is) {
    case "accepted":
      return flush(
        inRoom(state, name, (joined) => ({
          ...joined,
          membership: { is: "joined" },
          members: outcome.content,
        })),
        [name],
      );
    case "refused":
      return unchanged(
        withToast(withJoinFailed(state, room, outcome.problem), `#${name}: ${outcome.problem}`),
      );
    case "unanswered":
      // Broken off by a lost connection, the join is made again by the next one.
      return unchanged(isOnline(state) ? withJoinFailed(state, room, "The server did not answer.") : state);
  }
}

/** A room that holds nothing of the person's goes; any other stays, to be tried again. */
function withJoinFailed(state: Chatting, room: Room, problem: string): Chatting {
  if (room.entries.length > 0 || room.outbox.length > 0 || room.draft.trim() !== "") {
    return inRoom(state, room.name, (failed) => ({ ...failed, membership: { is: "failed", problem } }));
  }
  const rooms = state.rooms.filter(({ name }) => name !== room.name);
  const activeRoom = state.activeRoom === room.name ? (rooms.at(-1)?.name ?? null) : state.activeRoom;
  return seeActiveRoom({ ...state, rooms, activeRoom });
}

export function replaceMembers(
  state: Chatting,
  name: string,
  members: readonly Member[],
  at: number,
): Chatting {
  const room = findRoom(state, name);
  if (room === undefined) return state;
  if (room.membership.is !== "joined") return inRoom(state, name, (joining) => ({ ...joining, members }));
  const { joined, left } = memberChanges(room, members);
  const withoutLeft = left.reduce(
    (now, member) =>
      arriving(now, name, at, (shown, arrival) => withMemberLeft(shown, { room: name, ...member }, arrival)),
    state,
  );
  const withJoined = joined.reduce(
    (now, member) =>
      arriving(now, name, at, (shown, arrival) =>
        withMemberJoined(shown, { room: name, ...member }, arrival),
      ),
    withoutLeft,
  );
  return inRoom(withJoined, name, (shown) => ({ ...shown, members }));
}

export function refreshRooms(state: Chatting): Step {
  return state.pageVisible ? ifOnline(state, { type: "list rooms" }) : unchanged(state);
}
