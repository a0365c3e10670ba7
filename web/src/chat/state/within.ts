/** Small changes inside the state, from which the larger ones are made. */

import { byName } from "../text/names";
import { EMPTY_TIMELINE } from "./timeline";
import type { Membership } from "../protocol";
import type { Step } from "./events";
import { type Chatting, type Kept, PERSONS_PAGE, type Room, TOASTS_KEPT } from "./model";

export function unchanged<After extends Chatting>(state: After): Step<After> {
  return { state, commands: [] };
}

/** One step after the other; each sees the state that the one before has left. */
export function inTurn(
  state: Chatting,
  ...steps: readonly ((state: Chatting) => Step<Chatting>)[]
): Step<Chatting> {
  return steps.reduce<Step<Chatting>>((before, step) => {
    const after = step(before.state);
    return after.commands.length === 0 && after.state === before.state
      ? before
      : { state: after.state, commands: [...before.commands, ...after.commands] };
  }, unchanged(state));
}

/** Requests make sense from the moment when the server has said which rooms there are. */
export function isReady({ connection, welcomed }: Chatting): boolean {
  return connection.is === "online" && welcomed;
}

export function findRoom(state: Chatting, id: string | null): Room | undefined {
  return state.rooms.find(({ membership }) => membership.room === id);
}

export function activeRoom(state: Chatting): Room | undefined {
  return findRoom(state, state.activeRoom);
}

export function inRoom(state: Chatting, id: string, change: (room: Room) => Room): Chatting {
  const place = state.rooms.findIndex(({ membership }) => membership.room === id);
  const room = state.rooms[place];
  if (room === undefined) return state;
  const changed = change(room);
  return changed === room ? state : { ...state, rooms: state.rooms.with(place, changed) };
}

export function inEveryRoom(state: Chatting, change: (room: Room) => Room): Chatting {
  const rooms = state.rooms.map(change);
  return rooms.every((room, place) => room === state.rooms[place]) ? state : { ...state, rooms };
}

export function withToast(state: Chatting, text: string): Chatting {
  const toast = { id: state.nextId, text };
  return { ...state, nextId: state.nextId + 1, toasts: [...state.toasts.slice(1 - TOASTS_KEPT), toast] };
}

/** How a room is called: a person, or a name with its mark. */
export function roomTitle({ name, kind }: Pick<Membership, "name" | "kind">): string {
  return kind === "direct" ? name : `#${name}`;
}

export function newRoom(membership: Membership, kept: Kept | undefined): Room {
  return {
    membership,
    counted: membership.last,
    timeline: { ...EMPTY_TIMELINE, newest: membership.last },
    stale: false,
    outbox: kept?.outbox ?? [],
    draft: kept?.draft ?? "",
    uploads: [],
    composing: { is: "new" },
    toldRead: membership.read,
    newFrom: null,
    presence: { count: null, persons: null, wanted: PERSONS_PAGE, stale: true, askedAt: 0 },
    members: null,
    typing: [],
    toldTyping: 0,
    target: null,
  };
}

export function inOrder(rooms: readonly Room[]): readonly Room[] {
  return rooms.toSorted(
    ({ membership: a }, { membership: b }) => a.order - b.order || byName(a.name, b.name),
  );
}
