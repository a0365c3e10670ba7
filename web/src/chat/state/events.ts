import type {
  HistoryPage,
  HistoryPart,
  Message,
  Person,
  Placement,
  RoomMember,
  ServerEvents,
  SignedOutReason,
  Transport,
} from "../protocol";
import type { Kept, State } from "./model";
import type { Outgoing, SendResult } from "./outbox";

/** All that can happen to the page. Times (`at`) are milliseconds since 1970 by the reader's clock. */
export type Event = ViewEvent | SessionEvent | ConnectionEvent | AnswerEvent | { type: "tick"; at: number };

/** What the person does. */
export type ViewEvent =
  | { type: "open room"; room: string }
  | { type: "open neighbour"; step: 1 | -1 }
  | { type: "draft changed"; room: string; draft: string; at: number }
  /** `id` is that of the message, new for each. */
  | { type: "send"; room: string; text: string; kind: "text" | "action"; id: string; at: number }
  | { type: "retry"; room: string; id: string }
  | { type: "discard"; room: string; id: string }
  | { type: "reply"; room: string; message: Message }
  | { type: "edit"; room: string; message: Message }
  | { type: "edit last"; room: string }
  | { type: "compose new"; room: string }
  | { type: "load older"; room: string }
  | { type: "load newer"; room: string }
  | { type: "to newest"; room: string }
  | { type: "jump"; room: string; number: number }
  | { type: "jump to date"; room: string; time: number }
  | { type: "toast"; text: string }
  | { type: "dismiss toast"; id: number }
  | { type: "page shown" }
  | { type: "page hidden" };

/** Who is signed in, as the server says it. */
export type SessionEvent =
  | { type: "signed in"; person: Person; kept: readonly Kept[]; activeRoom: string | null }
  | { type: "nobody signed in"; guests: boolean }
  | { type: "session unknown"; problem: string }
  | { type: "signing out"; under: boolean }
  | { type: "sign out done" };

type Told<Name extends keyof ServerEvents> = Parameters<ServerEvents[Name]>[0];

/** What the connection reports. */
export type ConnectionEvent =
  | { type: "connected"; recovered: boolean; transport: Transport }
  | { type: "transport changed"; transport: Transport }
  | { type: "disconnected"; at: number }
  | { type: "refused"; code: string }
  | { type: "placed"; placement: Placement }
  | { type: "welcomed"; welcome: Told<"welcome"> }
  | { type: "message arrived"; message: Message }
  | { type: "message changed"; message: Message }
  | { type: "typing told"; room: string; name: string; at: number }
  | { type: "presence told"; change: Told<"presence"> }
  | { type: "presence lost" }
  | { type: "room changed"; change: Told<"room.changed"> }
  | { type: "member changed"; change: Told<"member.changed"> }
  | { type: "room joined"; membership: Told<"room.joined"> }
  | { type: "room left"; left: Told<"room.left"> }
  | { type: "read told"; mark: Told<"room.read"> }
  | { type: "invited"; invitation: Told<"invitation"> }
  | { type: "invitation gone"; room: string }
  | { type: "person changed"; person: Person }
  | { type: "signed out"; reason: SignedOutReason };

/** What came of a command. */
export type AnswerEvent =
  | { type: "history loaded"; room: string; ask: number; page: HistoryPage }
  /** `problem` is null when no answer came. */
  | { type: "history failed"; room: string; ask: number; problem: string | null }
  | { type: "send answered"; room: string; id: string; result: SendAnswer; at: number }
  | { type: "presence listed"; room: string; persons: readonly Person[]; count: number }
  | { type: "members listed"; room: string; members: readonly RoomMember[]; more: boolean }
  /** The server does not know of it yet. */
  | { type: "read untold"; room: string; number: number }
  | { type: "edit failed"; room: string; number: number; text: string; problem: string }
  | { type: "read answered"; room: string; read: number; unread: number };

export type SendAnswer =
  | Exclude<SendResult, { is: "stored" }>
  | { readonly is: "stored"; readonly number: number; readonly time: number };

/** What `update` wants done. */
export type Command =
  /** `later`: the last answer was that nobody knows. */
  | { type: "ask who is signed in"; later: boolean }
  | { type: "connect" }
  | { type: "disconnect" }
  | { type: "load history"; room: string; ask: number; part: HistoryPart }
  | { type: "send"; room: string; outgoing: Outgoing }
  | { type: "edit"; room: string; number: number; text: string }
  | { type: "mark read"; room: string; number: number }
  | { type: "list presence"; room: string }
  | { type: "list members"; room: string }
  | { type: "tell typing"; room: string }
  | { type: "notify"; room: string; title: string; text: string };

/** What an event comes to: the state after it, and what is to be done, in order. */
export interface Step<After extends State = State> {
  readonly state: After;
  readonly commands: readonly Command[];
}
