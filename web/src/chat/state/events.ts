import type {
  Member,
  Placement,
  RoomDeparture,
  RoomMember,
  RoomMembers,
  RoomMessage,
  RoomSummary,
  Transport,
  Welcome,
} from "../protocol";
import type { State } from "./model";

/** All that can happen to the page. Times (`at`) are milliseconds since the epoch. */
export type Event = ViewEvent | ConnectionEvent;

/** What the person does. */
export type ViewEvent =
  | { type: "sign in"; name: string }
  | { type: "sign out" }
  | { type: "join room"; room: string }
  | { type: "leave room"; room: string }
  | { type: "open room"; room: string }
  | { type: "open neighbour"; step: 1 | -1 }
  | { type: "draft changed"; room: string; draft: string }
  | { type: "send"; room: string; at: number }
  | { type: "retry"; room: string; id: number }
  | { type: "discard"; room: string; id: number }
  | { type: "dismiss toast"; id: number }
  | { type: "page shown" }
  | { type: "page hidden" }
  | { type: "refresh rooms" };

/** What the connection reports. */
export type ConnectionEvent =
  | { type: "connected"; socketId: string; recovered: boolean; transport: Transport; at: number }
  | { type: "transport changed"; transport: Transport }
  | { type: "disconnected" }
  | { type: "unreachable" }
  | { type: "refused"; problem: string }
  | { type: "welcomed"; welcome: Welcome }
  | { type: "placed"; placement: Placement }
  | { type: "message received"; message: RoomMessage; at: number }
  | { type: "member joined"; member: RoomMember; at: number }
  | { type: "member left"; departure: RoomDeparture; at: number }
  | { type: "members replaced"; list: RoomMembers; at: number }
  | { type: "join answered"; room: string; outcome: Outcome<readonly Member[]> }
  | { type: "leave answered"; room: string; outcome: Outcome }
  | { type: "send answered"; room: string; id: number; outcome: Outcome }
  | { type: "rooms listed"; rooms: readonly RoomSummary[] };

/** How a request ended. `unanswered`: no acknowledgement in time, or the connection broke; the server may have acted. */
export type Outcome<Content = null> =
  { is: "accepted"; content: Content } | { is: "refused"; problem: string } | { is: "unanswered" };

/** What `update` wants done. */
export type Command =
  | { type: "connect"; name: string }
  | { type: "disconnect" }
  | { type: "join"; room: string }
  /** For a room the server may still count us in, where a plain join would be refused. */
  | { type: "rejoin"; room: string }
  | { type: "leave"; room: string }
  | { type: "send"; room: string; id: number; text: string }
  | { type: "list rooms" };

/** What an event comes to: the state after it, and what is to be done, in order. */
export interface Step<After extends State = State> {
  readonly state: After;
  readonly commands: readonly Command[];
}
