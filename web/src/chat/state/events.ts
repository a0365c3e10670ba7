import type {
  Attachment,
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
import type { ChosenFile } from "./attaching";
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
  /** Files that were chosen; `id` is that of the file, new for each. */
  | { type: "attach"; room: string; files: readonly ChosenFile[] }
  | { type: "retry upload"; room: string; id: number }
  | { type: "remove upload"; room: string; id: number }
  | { type: "reply"; room: string; message: Message }
  | { type: "edit"; room: string; message: Message }
  | { type: "edit last"; room: string }
  | { type: "compose new"; room: string }
  | { type: "load older"; room: string }
  | { type: "load newer"; room: string }
  | { type: "to newest"; room: string }
  | { type: "jump"; room: string; number: number }
  | { type: "jump to date"; room: string; time: number }
  | { type: "list more persons"; room: string }
  | { type: "list more members"; room: string }
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
  | { type: "members changed"; change: Told<"members.changed"> }
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
  /** One part of an answer in several; `parts` counts them. */
  | {
      type: "changes loaded";
      room: string;
      messages: readonly Message[];
      changed: number;
      more: boolean;
      parts: number;
    }
  /** They are to be asked for again. */
  | { type: "changes failed"; room: string }
  | { type: "send answered"; room: string; id: string; result: SendAnswer; at: number }
  | { type: "upload progressed"; room: string; id: number; sent: number }
  | { type: "upload ended"; room: string; id: number; result: UploadResult }
  | { type: "presence listed"; room: string; persons: readonly Person[]; count: number }
  /** The part of the list that was asked for by `after`, and where it goes on. */
  | {
      type: "members listed";
      room: string;
      after: string | null;
      members: readonly RoomMember[];
      next: string | null;
    }
  /** A list of people is to be asked for again. */
  | { type: "people failed"; room: string }
  /** The server does not know of it yet. */
  | { type: "read untold"; room: string; number: number }
  | { type: "edit failed"; room: string; number: number; text: string; problem: string }
  | { type: "read answered"; room: string; read: number; unread: number };

export type SendAnswer =
  | Exclude<SendResult, { is: "stored" }>
  | { readonly is: "stored"; readonly number: number; readonly time: number };

export type UploadResult = { readonly attachment: Attachment } | { readonly problem: string };

/** What `update` wants done. */
export type Command =
  /** `later`: the last answer was that nobody knows. */
  | { type: "ask who is signed in"; later: boolean }
  | { type: "connect" }
  | { type: "disconnect" }
  | { type: "load history"; room: string; ask: number; part: HistoryPart }
  | { type: "load changes"; room: string; since: number; parts: number }
  | { type: "send"; room: string; outgoing: Outgoing }
  | { type: "upload"; room: string; id: number }
  /** Also ends its upload. */
  | { type: "forget file"; id: number }
  | { type: "edit"; room: string; number: number; text: string }
  | { type: "mark read"; room: string; number: number }
  /** At most so many persons. */
  | { type: "list presence"; room: string; most: number }
  /** The first members if `after` is null. */
  | { type: "list members"; room: string; after: string | null }
  | { type: "tell typing"; room: string }
  | { type: "notify"; room: string; title: string; text: string };

/** What an event comes to: the state after it, and what is to be done, in order. */
export interface Step<After extends State = State> {
  readonly state: After;
  readonly commands: readonly Command[];
}
