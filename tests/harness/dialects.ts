import { randomUUID } from "node:crypto";
import type { ManagerOptions, SocketOptions } from "socket.io-client";
import { Browser } from "../chat/person.ts";
import { ask, type Client } from "./client.ts";

/** What members of a crowd tell each other: enough to know a message among all others. */
export interface Words {
  sender: string;
  number: number;
}

/** How to join a room and talk in it on a server. */
export interface Dialect {
  readonly namespace: string;
  readonly options: (url: string, name: string) => Promise<Partial<ManagerOptions & SocketOptions>>;
  readonly join: (socket: Client, room: string) => Promise<void>;
  readonly say: (socket: Client, room: string, words: Words) => Promise<void>;
  readonly onWords: (socket: Client, listener: (room: string, words: Words) => void) => void;
}

/** The events of the testbed, whose messages may be anything. */
export const testbedDialect: Dialect = {
  namespace: "/",
  options: () => Promise.resolve({}),
  join: async (socket, room) => {
    await ask(socket, "join", room);
  },
  say: async (socket, room, words) => {
    await ask(socket, "publish", room, words);
  },
  onWords: (socket, listener) => {
    socket.on("message", listener);
  },
};

interface ChatAnswer {
  ok: boolean;
  error?: { code: string; message: string };
  membership?: { room: string };
}

/** Of each socket, the ids of rooms by their names, and the other way round. */
const rooms = new WeakMap<Client, { ids: Map<string, string>; names: Map<string, string> }>();

function roomsOf(socket: Client): { ids: Map<string, string>; names: Map<string, string> } {
  const known = rooms.get(socket) ?? { ids: new Map<string, string>(), names: new Map<string, string>() };
  rooms.set(socket, known);
  return known;
}

/** The events of the chat, whose messages are text. Everybody is a guest. */
export const chatDialect: Dialect = {
  namespace: "/chat",
  options: async (url, name) => {
    const browser = new Browser(url);
    await browser.must("/api/session/guest", { name });
    return { extraHeaders: browser.headers };
  },
  join: async (socket, name) => {
    const joined = async () => (await ask(socket, "room.join", { name })) as ChatAnswer;
    let answer = await joined();
    if (answer.error?.code === "not_found") {
      answer = (await ask(socket, "room.create", { name, kind: "public" })) as ChatAnswer;
      // Somebody else was first.
      if (answer.error?.code === "conflict") answer = await joined();
    }
    const { ids, names } = roomsOf(socket);
    const { room = "" } = granted(answer).membership ?? {};
    ids.set(name, room);
    names.set(room, name);
  },
  say: async (socket, name, words) => {
    const room = roomsOf(socket).ids.get(name);
    const id = randomUUID();
    granted((await ask(socket, "message.send", { room, id, text: JSON.stringify(words) })) as ChatAnswer);
  },
  onWords: (socket, listener) => {
    socket.on("message", ({ room, text }: { room: string; text: string }) => {
      const name = roomsOf(socket).names.get(room);
      if (name !== undefined) listener(name, JSON.parse(text) as Words);
    });
  },
};

function granted(answer: ChatAnswer): ChatAnswer {
  if (!answer.ok) throw new Error(`refused: ${answer.error?.message ?? "without a reason"}`);
  return answer;
}
