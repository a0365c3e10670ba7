/** Everything the page knows, as plain data. It changes only in `update`. */

import type {
  Invitation,
  Limits,
  Membership,
  Message,
  Person,
  Placement,
  RoomMember,
  Transport,
} from "../protocol";
import type { Upload } from "./attaching";
import type { Outbox } from "./outbox";
import type { Timeline } from "./timeline";

export type State = Starting | SignedOut | Chatting;

/** Who is signed in is not known yet. */
export interface Starting {
  readonly phase: "starting";
  /** Why it is not known: no node answers, or its store does not. */
  readonly problem: string | null;
  /** For the sign-in page, if it comes to that. */
  readonly notice: string | null;
  readonly pageVisible: boolean;
}

export interface SignedOut {
  readonly phase: "signed out";
  /** Whether somebody may come in without an account. */
  readonly guests: boolean;
  /** Why one is here, when it was not by one's own doing. */
  readonly notice: string | null;
  readonly pageVisible: boolean;
}

export interface Chatting {
  readonly phase: "chatting";
  readonly person: Person;
  readonly connection: Connection;
  readonly limits: Limits;
  /** Whether the server has said which rooms there are. */
  readonly welcomed: boolean;
  /** In the person's own order. */
  readonly rooms: readonly Room[];
  readonly invitations: readonly Invitation[];
  /** While the server has not named the rooms yet, the one that is to be opened. */
  readonly activeRoom: string | null;
  /** The person has asked to be signed out here: then the end needs no explanation. */
  readonly leaving: boolean;
  readonly toasts: readonly Toast[];
  readonly pageVisible: boolean;
  /** Ids of questions and toasts; grows only. */
  readonly nextId: number;
  /** What was typed or not sent in an earlier life of the page, for rooms that the server has not named yet. */
  readonly kept: readonly Kept[];
}

/** By the person: what outlives the page. */
export interface Kept {
  readonly room: string;
  readonly draft: string;
  readonly outbox: Outbox;
}

export type Connection =
  | { readonly is: "connecting" }
  | Online
  /** `long`: it takes so long that people should know. */
  | { readonly is: "reconnecting"; readonly since: number; readonly long: boolean };

export interface Online {
  readonly is: "online";
  readonly transport: Transport;
  /** Unknown until the server has said it. */
  readonly placement: Placement | null;
}

export interface Room {
  readonly membership: Membership;
  /** `membership.last` when the server last counted what is unread: what is numbered higher is counted here. */
  readonly counted: number;
  readonly timeline: Timeline;
  /** Whether changes of the messages that are here may have been missed, and are to be asked for. */
  readonly stale: boolean;
  readonly outbox: Outbox;
  readonly draft: string;
  /** What goes with the message that is being written. */
  readonly uploads: readonly Upload[];
  readonly composing: Composing;
  /** How far the server knows that the person has read. */
  readonly toldRead: number;
  /** The number of the first message that is new to the reader; stays until the reader leaves the room or answers. */
  readonly newFrom: number | null;
  readonly presence: Presence;
  /** Null until they are asked for. */
  readonly members: MemberList | null;
  readonly typing: readonly Typist[];
  /** When others were last told that this person types. */
  readonly toldTyping: number;
  /** The message to be brought into view; `ask` makes each wish another one. */
  readonly target: { readonly number: number; readonly ask: number } | null;
}

export type Composing =
  | { readonly is: "new" }
  | { readonly is: "reply"; readonly to: Message }
  /** `draft` is what was being typed before. */
  | { readonly is: "edit"; readonly message: Message; readonly draft: string };

export interface Presence {
  /** Persons who are there; null until it is known. */
  readonly count: number | null;
  /** Null unless the list was asked for and is up to date; at most the first `wanted` of it. */
  readonly persons: readonly Person[] | null;
  /** So many are to be listed. */
  readonly wanted: number;
  /** The list is to be asked for again; not more often than `PRESENCE_EVERY`. */
  readonly stale: boolean;
  readonly askedAt: number;
}

export interface MemberList {
  readonly members: readonly RoomMember[];
  /** Where the list goes on; null at its end. */
  readonly next: string | null;
  /** The list is to be asked for again. */
  readonly stale: boolean;
}

export interface Typist {
  readonly name: string;
  readonly until: number;
}

export interface Toast {
  readonly id: number;
  readonly text: string;
}

/** The oldest goes first: more would hide the page. */
export const TOASTS_KEPT = 4;

/** A room of many people changes all the time: its list is asked for this often at most, in milliseconds. */
export const PRESENCE_EVERY = 5_000;

/** So many of those who are there are listed at first, and more each time that more are asked for. */
export const PERSONS_PAGE = 200;

/** A person may type, and others are told so, this often at most, in milliseconds. */
export const TYPING_EVERY = 3_000;

/** Somebody who types and does not say so again counts as having stopped, after so many milliseconds. */
export const TYPING_FOR = 5_000;

/** Without a connection for so long, in milliseconds, people are told plainly; before, the badge says it. */
export const LONG_OFFLINE = 4_000;

/** Until the server has named its own. */
export const DEFAULT_LIMITS: Limits = { messageBytes: 4096, rooms: 100, uploadBytes: 0, attachments: 0 };
