import type { Step } from "./events";
import { type Chatting, DEFAULT_MESSAGE_LIMIT, type Outgoing, type Room } from "./model";
import { unsent } from "./outbox";
import { joiningRoom } from "./room";

/** What outlives a refresh of the page: who one is, which rooms one is in, and all that was typed and not sent. */
export interface Saved {
  readonly name: string;
  readonly activeRoom: string | null;
  readonly rooms: readonly SavedRoom[];
}

export interface SavedRoom {
  readonly name: string;
  readonly draft: string;
  readonly unsent: readonly SavedMessage[];
}

export interface SavedMessage {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether it was ever handed to the connection: then only the writer may send it again. */
  readonly attempted: boolean;
}

export function savedFrom(state: Chatting): Saved {
  return {
    name: state.user,
    activeRoom: state.activeRoom,
    rooms: state.rooms.map(({ name, draft, outbox }) => ({
      name,
      draft,
      unsent: unsent(outbox).map(({ text, at, delivery }) => ({
        text,
        at,
        attempted: delivery.is !== "waiting",
      })),
    })),
  };
}

/** A signed-in page that is yet to connect; its rooms are joined when it has. */
export function resume(saved: Saved, pageVisible: boolean): Step<Chatting> {
  let nextId = 1;
  const outgoing = ({ text, at, attempted }: SavedMessage): Outgoing => ({
    id: nextId++,
    at,
    text,
    delivery: { is: attempted ? "unconfirmed" : "waiting" },
  });
  const rooms = saved.rooms.map((room): Room => ({
    ...joiningRoom(room.name),
    draft: room.draft,
    outbox: room.unsent.map(outgoing),
  }));
  const active = rooms.find(({ name }) => name === saved.activeRoom) ?? rooms[0];
  const state: Chatting = {
    phase: "chatting",
    user: saved.name,
    connection: { is: "connecting" },
    messageLimit: DEFAULT_MESSAGE_LIMIT,
    rooms,
    activeRoom: active?.name ?? null,
    leftUnheard: [],
    suggestedRooms: [],
    busyRooms: [],
    toasts: [],
    pageVisible,
    nextId,
  };
  return { state, commands: [{ type: "connect", name: saved.name }] };
}

/** Reads what `savedFrom` wrote; null for anything else, such as what another version wrote. */
export function parseSaved(value: unknown): Saved | null {
  if (!isRecord(value)) return null;
  const { name, activeRoom, rooms } = value;
  if (typeof name !== "string" || !(activeRoom === null || typeof activeRoom === "string")) return null;
  if (!Array.isArray(rooms) || !rooms.every(isSavedRoom)) return null;
  return { name, activeRoom, rooms };
}

function isSavedRoom(value: unknown): value is SavedRoom {
  return (
    isRecord(value) &&
    typeof value["name"] === "string" &&
    typeof value["draft"] === "string" &&
    Array.isArray(value["unsent"]) &&
    value["unsent"].every(isSavedMessage)
  );
}

function isSavedMessage(value: unknown): value is SavedMessage {
  return (
    isRecord(value) &&
    typeof value["text"] === "string" &&
    typeof value["at"] === "number" &&
    typeof value["attempted"] === "boolean"
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
