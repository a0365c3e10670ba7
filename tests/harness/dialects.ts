import type { ManagerOptions, SocketOptions } from "socket.io-client";
import { ask, type Client } from "./client.ts";

/** What members of a crowd tell each other: enough to know a message among all others. */
export interface Words {
  sender: string;
  number: number;
}

/** How to join a room and talk in it on a server. */
export interface Dialect {
  readonly namespace: string;
  readonly options: (name: string) => Partial<ManagerOptions & SocketOptions>;
  readonly join: (socket: Client, room: string) => Promise<void>;
  readonly say: (socket: Client, room: string, words: Words) => Promise<void>;
  readonly onWords: (socket: Client, listener: (room: string, words: Words) => void) => void;
}

/** The events of the testbed, whose messages may be anything. */
export const testbedDialect: Dialect = {
  namespace: "/",
  options: () => ({}),
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
  error?: string;
}

/** The events of the chat, whose messages are text. */
export const chatDialect: Dialect = {
  namespace: "/chat",
  options: (name) => ({ auth: { name } }),
  join: async (socket, room) => {
    granted(await ask(socket, "join room", { room }));
  },
  say: async (socket, room, words) => {
    granted(await ask(socket, "chat message", { room, message: JSON.stringify(words) }));
  },
  onWords: (socket, listener) => {
    socket.on("chat message", ({ room, message }: { room: string; message: string }) => {
      listener(room, JSON.parse(message) as Words);
    });
  },
};

function granted(answer: unknown): void {
  const { ok, error } = answer as ChatAnswer;
  if (!ok) throw new Error(`refused: ${error ?? "without a reason"}`);
}
