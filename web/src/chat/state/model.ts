/** Everything the page knows, as plain data. It changes only in `update`. */

import type { Member, MessageKind, Placement, RoomSummary, Transport } from "../protocol";

export type State = SignedOut | SigningIn | Chatting;

export interface SignedOut {
  readonly phase: "signed out";
  /** Offered in the form: what was used last. */
  readonly name: string;
  /** Why the last attempt failed. */
  readonly problem: string | null;
}

export interface SigningIn {
  readonly phase: "signing in";
  readonly name: string;
  /** No node answers; the client goes on trying. */
  readonly unreachable: boolean;
}

export interface Chatting {
  readonly phase: "chatting";
  readonly user: string;
  readonly connection: Connection;
  readonly messageLimit: number;
  /** In the order in which they were joined. */
  readonly rooms: readonly Room[];
  readonly activeRoom: string | null;
  /** Rooms left while the server could not hear it; a recovered session is still in them. */
  readonly leftUnheard: readonly string[];
  /** What the server offers: rooms it named in its welcome, and rooms with people in them. */
  readonly suggestedRooms: readonly string[];
  readonly busyRooms: readonly RoomSummary[];
  readonly toasts: readonly Toast[];
  readonly pageVisible: boolean;
  /** Ids of entries, unsent messages and toasts; grows only. */
  readonly nextId: number;
}

export type Connection = { readonly is: "connecting" } | Online | { readonly is: "reconnecting" };

export interface Online {
  readonly is: "online";
  readonly socketId: string;
  readonly transport: Transport;
  /** Unknown until the server has said it. */
  readonly placement: Placement | null;
}

export interface Room {
  readonly name: string;
  readonly membership: Membership;
  readonly members: readonly Member[];
  /** Oldest first, at most `ENTRIES_KEPT`. */
  readonly entries: readonly Entry[];
  /** Own messages that have not come back from the room yet, oldest first, at most `OUTBOX_LIMIT`. */
  readonly outbox: readonly Outgoing[];
  readonly draft: string;
  readonly unread: number;
  /** The first entry that arrived unseen, until the reader leaves the room or answers. */
  readonly newFrom: number | null;
}

export type Membership =
  | { readonly is: "joining" }
  | { readonly is: "joined" }
  | { readonly is: "failed"; readonly problem: string };

export type Entry = Message | Notice | Gap;

export interface Message {
  readonly type: "message";
  readonly id: number;
  /** Milliseconds since the epoch, by the reader's clock: when it arrived. */
  readonly at: number;
  readonly user: string;
  /** The socket that said it: tells apart two people of one name. */
  readonly from: string;
  readonly own: boolean;
  readonly kind: MessageKind;
  readonly text: string;
}

export interface Notice {
  readonly type: "notice";
  readonly id: number;
  readonly at: number;
  readonly user: string;
  readonly change: "joined" | "left";
  readonly reason: string | null;
}

/** The session was lost and begun anew: what was said meanwhile is not here. */
export interface Gap {
  readonly type: "gap";
  readonly id: number;
  readonly at: number;
}

export interface Outgoing {
  readonly id: number;
  readonly at: number;
  /** As typed, trimmed. */
  readonly text: string;
  readonly delivery: Delivery;
}

export type Delivery =
  /** Not handed to the connection yet; goes out by itself as soon as the room can take it. */
  | { readonly is: "waiting" }
  | { readonly is: "sending" }
  /** Acknowledged; the room's copy is on its way. */
  | { readonly is: "accepted" }
  /** Handed over, never acknowledged: it may or may not have arrived, so only the writer may send it again. */
  | { readonly is: "unconfirmed" }
  | { readonly is: "refused"; readonly problem: string };

export interface Toast {
  readonly id: number;
  readonly text: string;
}

/** Per room: keeps the DOM and a long day's memory small, and is more than anyone scrolls back. */
export const ENTRIES_KEPT = 500;

/** How many of the oldest go when a room is full: one at a time would redraw the top of the list with every message. */
export const ENTRIES_DROPPED = 50;

/** Per room; when it is full, a message stays in the composer and a toast says why. */
export const OUTBOX_LIMIT = 50;

/** The oldest goes first: more would hide the page. */
export const TOASTS_KEPT = 4;

/** Until the server has named its own limit: the default of a node. */
export const DEFAULT_MESSAGE_LIMIT = 4096;
