/** Small changes inside the state, from which the larger ones are made. */

import type { Command, Step } from "./events";
import { type Chatting, type Outgoing, type Room, TOASTS_KEPT } from "./model";
import type { Arrival } from "./room";

export function unchanged<After extends Chatting>(state: After): Step<After> {
  return { state, commands: [] };
}

export function ifOnline(state: Chatting, command: Command): Step {
  return { state, commands: isOnline(state) ? [command] : [] };
}

export function isOnline(state: Chatting): boolean {
  return state.connection.is === "online";
}

export function findRoom(state: Chatting, name: string): Room | undefined {
  return state.rooms.find((room) => room.name === name);
}

export function inRoom(state: Chatting, name: string, change: (room: Room) => Room): Chatting {
  return { ...state, rooms: state.rooms.map((room) => (room.name === name ? change(room) : room)) };
}

export function inOutbox(
  state: Chatting,
  name: string,
  change: (outbox: readonly Outgoing[]) => readonly Outgoing[],
): Chatting {
  return inRoom(state, name, (room) => ({ ...room, outbox: change(room.outbox) }));
}

/** Gives what arrives in a room its id, and says whether the person sees it come. */
export function arriving(
  state: Chatting,
  name: string,
  at: number,
  change: (room: Room, arrival: Arrival) => Room,
): Chatting {
  const { connection } = state;
  const arrival: Arrival = {
    id: state.nextId,
    at,
    self: connection.is === "online" ? connection.socketId : null,
    seen: state.pageVisible && state.activeRoom === name,
  };
  const changed = inRoom(state, name, (room) => change(room, arrival));
  return { ...changed, nextId: state.nextId + 1 };
}

export function withToast(state: Chatting, text: string): Chatting {
  const toast = { id: state.nextId, text };
  return { ...state, nextId: state.nextId + 1, toasts: [...state.toasts.slice(1 - TOASTS_KEPT), toast] };
}
