/**
 * What the page and the `/chat` namespace say to each other. Packets come from the origin that served this page, so
 * their shape is trusted; what people wrote in them is not.
 */

export type Transport = "polling" | "websocket";

/** `text` is said, `action` is done (`/me waves`). */
export type MessageKind = "text" | "action";

/** One socket in a room: a person with two tabs is a member twice. */
export interface Member {
  readonly id: string;
  readonly user: string;
}

export interface RoomSummary {
  readonly room: string;
  readonly members: number;
}

export interface Welcome {
  /** The name as the server took it. */
  readonly user: string;
  /** Rooms worth offering to someone who is in none. */
  readonly rooms: readonly string[];
  /** `message` is in bytes of UTF-8. */
  readonly limits: { readonly message: number };
}

/** Where the session stands in the cluster: the node the client landed on, and the node that owns its session. */
export interface Placement {
  readonly ingress: string;
  readonly owner: string;
}

export interface RoomMessage {
  readonly room: string;
  readonly user: string;
  readonly id: string;
  readonly message: string;
  readonly kind: MessageKind;
}

export interface RoomMember extends Member {
  readonly room: string;
}

export interface RoomDeparture extends RoomMember {
  readonly reason?: string;
}

export interface RoomMembers {
  readonly room: string;
  readonly members: readonly Member[];
}

export interface Refused {
  readonly ok: false;
  readonly error: string;
}
export type Answer<Content = object> = ({ readonly ok: true } & Content) | Refused;

export interface ServerEvents {
  welcome: (welcome: Welcome) => void;
  placement: (placement: Placement) => void;
  "chat message": (message: RoomMessage) => void;
  "join room": (member: RoomMember) => void;
  "leave room": (departure: RoomDeparture) => void;
  "room members": (members: RoomMembers) => void;
}

export interface ClientEvents {
  "join room": (request: { room: string }, ack: (answer: Answer<RoomMembers>) => void) => void;
  "leave room": (request: { room: string }, ack: (answer: Answer) => void) => void;
  "chat message": (request: { room: string; message: string }, ack: (answer: Answer) => void) => void;
  "list rooms": (request: object, ack: (answer: Answer<{ rooms: readonly RoomSummary[] }>) => void) => void;
}

/** Names are counted in characters after trimming. */
export const LONGEST_NAME = 32;
