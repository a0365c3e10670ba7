import type { Member, RoomMessage } from "../protocol";
import type { Command, Event } from "./events";
import type { Chatting, Room, State } from "./model";
import { resume } from "./saved";
import { update } from "./update";

/** A page in a test: takes events and gathers what it wants done. */
export class Page {
  state: State;
  #commands: Command[] = [];

  constructor(state: State) {
    this.state = state;
  }

  /** Signed in as Ana and online with socket id `ana-1`. */
  static online(): Page {
    const page = new Page(resume({ name: "Ana", activeRoom: null, rooms: [] }, true).state);
    page.connect("ana-1");
    page.commands();
    return page;
  }

  /** Online, in these rooms, with the last one open; Ben is in all of them. */
  static in(...rooms: string[]): Page {
    const page = Page.online();
    for (const room of rooms) {
      page.on({ type: "join room", room });
      page.joined(room);
    }
    page.commands();
    return page;
  }

  on(event: Event): this {
    const { state, commands } = update(this.state, event);
    this.state = state;
    this.#commands.push(...commands);
    return this;
  }

  /** What was asked for since this was called last. */
  commands(): Command[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }

  connect(socketId: string, { recovered = false } = {}): this {
    return this.on({ type: "connected", socketId, recovered, transport: "polling", at: 0 });
  }

  joined(room: string, members: readonly Member[] = [ANA, BEN]): this {
    return this.on({ type: "join answered", room, outcome: { is: "accepted", content: members } });
  }

  hear(message: Partial<RoomMessage>): this {
    const heard = {
      room: "lobby",
      user: "Ben",
      id: "ben-1",
      message: "hi",
      kind: "text" as const,
      ...message,
    };
    return this.on({ type: "message received", message: heard, at: 0 });
  }

  /** Writes and sends, and says under which id. */
  write(room: string, text: string): number {
    this.on({ type: "draft changed", room, draft: text });
    this.on({ type: "send", room, at: 0 });
    const written = this.room(room).outbox.at(-1);
    if (written === undefined) throw new Error(`${text} did not get into the outbox.`);
    return written.id;
  }

  get chat(): Chatting {
    if (this.state.phase !== "chatting") throw new Error(`The page is ${this.state.phase}.`);
    return this.state;
  }

  room(name: string): Room {
    const room = this.chat.rooms.find((candidate) => candidate.name === name);
    if (room === undefined) throw new Error(`The page is not in ${name}.`);
    return room;
  }

  /** The texts that a room shows, in order. */
  texts(room: string): string[] {
    return this.room(room).entries.flatMap((entry) => (entry.type === "message" ? entry.text : []));
  }

  deliveries(room: string): string[] {
    return this.room(room).outbox.map(({ delivery }) => delivery.is);
  }
}

export const ANA: Member = { id: "ana-1", user: "Ana" };
export const BEN: Member = { id: "ben-1", user: "Ben" };
