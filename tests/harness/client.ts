import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { DEFAULT_DEADLINE_MS, within } from "./wait.ts";

export type Client = Socket;

/** How a client may reach a server; `upgrade` is what `socket.io-client` does unless told otherwise. */
export const transports = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
} as const;

export type Transport = keyof typeof transports;

const open = new Set<Client>();

/** A stock client with connections of its own, not yet connected. */
export function client(
  url: string,
  transport: Transport,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Client {
  const socket = io(url, {
    forceNew: true,
    autoConnect: false,
    transports: [...transports[transport]],
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    ...options,
  });
  open.add(socket);
  return socket;
}

/** The same, connected; with `upgrade`, when the upgrade is complete. */
export async function connected(
  url: string,
  transport: Transport,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<Client> {
  const socket = client(url, transport, options);
  await connect(socket);
  if (transport === "upgrade") await upgraded(socket);
  return socket;
}

export async function connect(socket: Client): Promise<void> {
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  socket.connect();
  await within(DEFAULT_DEADLINE_MS, "connect", connected);
}

/** Waits until the client's transport is a WebSocket. */
export async function upgraded(socket: Client): Promise<void> {
  const { engine } = socket.io;
  if (engine.transport.name === "websocket") return;
  const done = new Promise<unknown>((resolve) => engine.once("upgrade", resolve));
  await within(DEFAULT_DEADLINE_MS, "upgrade to WebSocket", done);
}

/** The next occurrence of an event, with its arguments. */
export function heard<T extends unknown[]>(
  socket: Client,
  event: string,
  deadline = DEFAULT_DEADLINE_MS,
): Promise<T> {
  const arrives = new Promise<T>((resolve) => {
    socket.once(event, (...args: unknown[]) => {
      resolve(args as T);
    });
  });
  return within(deadline, `event ${event}`, arrives);
}

/** `emitWithAck` that does not wait for ever. */
export async function ask(socket: Client, event: string, ...args: unknown[]): Promise<unknown> {
  return socket.timeout(DEFAULT_DEADLINE_MS).emitWithAck(event, ...args) as Promise<unknown>;
}

/** Closes all clients made here, with every namespace they joined; for the end of a test. */
export function closeClients(): void {
  for (const { io: manager } of open) {
    manager.reconnection(false);
    manager.engine.close();
  }
  open.clear();
}
