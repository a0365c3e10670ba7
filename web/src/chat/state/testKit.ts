/** What the tests of the state have in common: a person, rooms, messages, and a page that takes events. */

import type { HistoryPage, Membership, Message, Welcome } from "../protocol";
import type { Command, Event } from "./events";
import type { Chatting, Room, State } from "./model";
import { starting, update } from "./update";
import { findRoom } from "./within";

export const ADA = { name: "Ada", kind: "member" } as const;
export const BOB = { name: "Bob", kind: "member" } as const;

export function membership(room: string, change: Partial<Membership> = {}): Membership {
  return {
    room,
    name: room,
    kind: "public",
    topic: "",
    role: "member",
    order: 0,
    muted: false,
    last: 0,
    read: 0,
    unread: 0,
    ...change,
  };
}

export function welcome(...rooms: Membership[]): Welcome {
  return {
    person: ADA,
    rooms,
    invitations: [],
    limits: { messageBytes: 100, rooms: 10, uploadBytes: 1_000, attachments: 2 },
  };
}

export function message(number: number, change: Partial<Message> = {}): Message {
  const text = `text ${number}`;
  return {
    room: "r",
    number,
    id: `m${number}`,
    time: number * 1_000,
    author: BOB,
    text,
    kind: "text",
    ...change,
  };
}

export function messages(from: number, to: number): Message[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, place) => message(from + place));
}

/** What a server would answer that holds the messages from 1 to `last`. */
export function page(from: number, to: number, last: number): HistoryPage {
  return { messages: messages(from, to), last, changed: 0, more: { before: from > 1, after: to < last } };
}

/** A page that is given events, and remembers what it wanted done. */
export class Page {
  state: State = starting(true).state;
  commands: Command[] = [];

  on(...events: Event[]): this {
    for (const event of events) {
      const step = update(this.state, event);
      this.state = step.state;
      this.commands.push(...step.commands);
    }
    return this;
  }

  /** What was wanted since the last call. */
  taken(): Command[] {
    return this.commands.splice(0);
  }

  /** The number of the question for history that was asked last. */
  lastAsk(): number {
    const asked = this.commands.findLast((command) => command.type === "load history");
    if (asked === undefined) throw new Error("no history was asked for");
    return asked.ask;
  }

  get chatting(): Chatting {
    if (this.state.phase !== "chatting") throw new Error(`the page is ${this.state.phase}`);
    return this.state;
  }

  room(id = "r"): Room {
    const room = findRoom(this.chatting, id);
    if (room === undefined) throw new Error(`there is no room ${id}`);
    return room;
  }

  numbers(id = "r"): number[] {
    return this.room(id).timeline.messages.map(({ number }) => number);
  }

  /** Signed in, connected, welcomed with these rooms. */
  static welcomed(...rooms: Membership[]): Page {
    return new Page().on(
      { type: "signed in", person: ADA, kept: [], activeRoom: null },
      { type: "connected", recovered: false, transport: "websocket" },
      { type: "welcomed", welcome: welcome(...rooms) },
    );
  }

  /** In the room `r`, which holds the messages from 1 to `last`, all of them here and read. */
  static inRoom(last = 3, change: Partial<Membership> = {}): Page {
    const opened = Page.welcomed(
      membership("r", { last, read: last, ...change }),
      membership("other", { order: 1 }),
    );
    const first = Math.max(1, last - 49);
    opened.on({ type: "history loaded", room: "r", ask: opened.lastAsk(), page: page(first, last, last) });
    opened.taken();
    return opened;
  }
}
