/**
 * What the page and the server of the chat say to each other: `docs/chat-protocol.md` in types. Packets come from the
 * origin that served this page, so their shape is trusted; what people wrote in them is not. Times are milliseconds
 * since 1970 by the server's store.
 */

export type Transport = "polling" | "websocket";

export interface Person {
  readonly name: string;
  /** `server` for what the server itself says of a room; its name is empty. */
  readonly kind: "member" | "guest" | "webhook" | "server";
}

export interface Problem {
  readonly code: string;
  /** A sentence that can be shown to people. */
  readonly message: string;
  readonly retryAfterMs?: number;
}

export type RoomKind = "public" | "private" | "direct";
export type Role = "owner" | "moderator" | "member";

/** `text` is said, `action` is done (`/me waves`), `notice` is what happened to the room. */
export type MessageKind = "text" | "action" | "notice";

export interface Quote {
  readonly number: number;
  /** The name; missing when the quoted message was deleted. */
  readonly author?: string;
  readonly text?: string;
}

export interface Reaction {
  readonly emoji: string;
  readonly names: readonly string[];
}

/** A file that was uploaded. What is shown of it comes from `attachmentUrl` and `thumbnailUrl`. */
export interface Attachment {
  readonly id: string;
  /** A label that its uploader gave it. */
  readonly name: string;
  /** The media type by its content, as far as the server knows it. */
  readonly type: string;
  readonly bytes: number;
  /** In pixels, of an image that can be shown. */
  readonly width?: number;
  readonly height?: number;
}

export const attachmentUrl = ({ id }: Attachment): string => `/api/uploads/${id}`;
export const thumbnailUrl = ({ id }: Attachment): string => `/api/uploads/${id}/thumbnail`;

export interface Message {
  readonly room: string;
  /** Counts the messages of a room: 1, 2, 3, … without gaps. */
  readonly number: number;
  /** Chosen by the client that sent it. */
  readonly id: string;
  readonly time: number;
  readonly author: Person;
  readonly text: string;
  readonly kind: MessageKind;
  readonly replyTo?: Quote;
  /** The time of the last edit. */
  readonly edited?: number;
  readonly deleted?: boolean;
  readonly reactions?: readonly Reaction[];
  readonly attachments?: readonly Attachment[];
  /** The room's count of changes when this message was changed last. */
  readonly changed?: number;
}

/** A room as the person who is signed in has it. */
export interface Membership {
  readonly room: string;
  readonly name: string;
  readonly kind: RoomKind;
  readonly topic: string;
  readonly role: Role;
  readonly order: number;
  readonly muted: boolean;
  /** The number of the last message; 0 in an empty room. */
  readonly last: number;
  /** The number of the last message that the person has read. */
  readonly read: number;
  /** How many came after it from others. */
  readonly unread: number;
  readonly peer?: Person;
}

/** A public room as it is found. */
export interface FoundRoom {
  readonly room: string;
  readonly name: string;
  readonly kind: RoomKind;
  readonly topic: string;
  readonly members: number;
  readonly joined: boolean;
}

/** A program that may speak in a room. */
export interface Webhook {
  readonly id: string;
  readonly name: string;
}

export interface RoomMember extends Pick<Person, "name" | "kind"> {
  readonly role: Role;
}

export interface Invitation {
  readonly room: string;
  readonly name: string;
  readonly kind: RoomKind;
  readonly by: string;
}

export interface Limits {
  readonly messageBytes: number;
  readonly rooms: number;
  /** Of one file; 0 where none is taken. */
  readonly uploadBytes: number;
  /** Files of one message. */
  readonly attachments: number;
}

export interface Welcome {
  readonly person: Person;
  readonly rooms: readonly Membership[];
  readonly invitations: readonly Invitation[];
  readonly limits: Limits;
}

/** Where the session lives: the node that the client reached, and the node that owns its session. */
export interface Placement {
  readonly ingress: string;
  readonly owner: string;
}

export interface HistoryPage {
  /** In ascending order. */
  readonly messages: readonly Message[];
  readonly last: number;
  /** Counts what happens to the messages of the room: edits, deletions, reactions. */
  readonly changed: number;
  readonly more: { readonly before: boolean; readonly after: boolean };
}

export interface PresenceChange {
  readonly room: string;
  readonly count: number;
  /** Both are missing when only the count is told. */
  readonly joined?: readonly Person[];
  readonly left?: readonly Person[];
}

export interface MembersChange {
  readonly room: string;
  /** Whose membership is another one now; `role` is null of who is gone. Missing when that are too many to be named. */
  readonly changed?: readonly (Person & { readonly role: Role | null })[];
}

export type Answer<Content = object> =
  ({ readonly ok: true } & Content) | { readonly ok: false; readonly error: Problem };

/** Which part of a room's messages is asked for; none of these: the newest. */
export type HistoryPart =
  | { readonly before: number }
  | { readonly after: number }
  | { readonly around: number }
  | { readonly date: number }
  | { readonly before?: never };

/** By the name of each request: what it takes, and what its answer holds beside `ok`. */
export interface Requests {
  "room.list": [{ query?: string; after?: string }, { rooms: readonly FoundRoom[]; next?: string }];
  "room.create": [{ name: string; kind: "public" | "private"; topic?: string }, { membership: Membership }];
  "room.join": [{ room: string } | { name: string }, { membership: Membership }];
  "room.leave": [{ room: string }, object];
  "room.direct": [{ name: string }, { membership: Membership }];
  "room.invite": [{ room: string; name: string }, object];
  "room.decline": [{ room: string }, object];
  "room.topic": [{ room: string; topic: string }, object];
  "room.role": [{ room: string; name: string; role: "moderator" | "member" }, object];
  "room.remove": [{ room: string; name: string }, object];
  "room.ban": [{ room: string; name: string }, object];
  "room.unban": [{ room: string; name: string }, object];
  "room.members": [{ room: string; after?: string }, { members: readonly RoomMember[]; next?: string }];
  "room.settings": [{ room: string; muted?: boolean; order?: number }, object];
  "room.read": [{ room: string; number: number }, { read: number; unread: number }];
  "message.send": [
    {
      room: string;
      id: string;
      text: string;
      kind?: "text" | "action";
      replyTo?: number;
      attachments?: readonly string[];
    },
    { number: number; time: number },
  ];
  "message.edit": [{ room: string; number: number; text: string }, { message: Message }];
  "message.delete": [{ room: string; number: number }, { message: Message }];
  "message.react": [{ room: string; number: number; emoji: string; on: boolean }, { message: Message }];
  "message.history": [{ room: string; limit?: number } & HistoryPart, HistoryPage];
  "message.changes": [
    { room: string; since: number },
    { messages: readonly Message[]; changed: number; more: boolean },
  ];
  "message.search": [
    { room: string; query: string; before?: number },
    { messages: readonly Message[]; more: boolean },
  ];
  "presence.list": [
    { room: string; after?: string },
    { persons: readonly Person[]; count: number; next?: string },
  ];
  /** `path` holds the webhook's secret, and is told this once. */
  "webhook.create": [{ room: string; name: string }, { webhook: Webhook; path: string }];
  "webhook.list": [{ room: string }, { webhooks: readonly Webhook[] }];
  "webhook.delete": [{ room: string; id: string }, object];
}

export type RequestName = keyof Requests;
export type Asked<Name extends RequestName> = Requests[Name][0];
export type Answered<Name extends RequestName> = Answer<Requests[Name][1]>;

export type SignedOutReason = "signed_out" | "password_changed" | "account_deleted" | "expired";

export interface ServerEvents {
  welcome: (welcome: Welcome) => void;
  placement: (placement: Placement) => void;
  message: (message: Message) => void;
  "message.changed": (message: Message) => void;
  typing: (typing: { room: string; name: string }) => void;
  presence: (change: PresenceChange) => void;
  /** Changes may have been missed: the lists are to be asked for again. */
  "presence.lost": () => void;
  "room.changed": (change: { room: string; topic: string }) => void;
  "members.changed": (change: MembersChange) => void;
  "room.joined": (membership: Membership) => void;
  "room.left": (left: { room: string; reason: "left" | "removed" | "banned"; by?: string }) => void;
  "room.read": (mark: { room: string; read: number; unread: number }) => void;
  invitation: (invitation: Invitation) => void;
  "invitation.gone": (gone: { room: string }) => void;
  person: (person: Person) => void;
  "signed out": (end: { reason: SignedOutReason }) => void;
}

export type ClientEvents = {
  [Name in RequestName]: (asked: Asked<Name>, ack: (answer: Answered<Name>) => void) => void;
} & { typing: (typing: { room: string }) => void };

/** In characters. */
export const LONGEST_NAME = 32;
export const SHORTEST_PASSWORD = 8;
export const LONGEST_PASSWORD = 128;
