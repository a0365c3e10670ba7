import { io, type Socket } from "socket.io-client";
import type { Answered, Asked, ClientEvents, RequestName, ServerEvents, Transport } from "./protocol";
import type { ConnectionEvent } from "./state/events";

/** How long an answer may take, in milliseconds, before a request counts as unanswered. */
const ANSWER_TIMEOUT = 10_000;

/** Before the first attempt to come back, in milliseconds; it doubles up to the longest, with jitter. */
const FIRST_RETRY = 300;
const LONGEST_RETRY = 5_000;

/** After the server has refused a connection for now, unless it says when, in milliseconds. */
const REFUSED_RETRY = 2_000;

type ChatSocket = Socket<ServerEvents, ClientEvents>;

/** What no answer comes to: as an answer, with a code of its own. */
export const NO_ANSWER = "no_answer";

/** The socket of who is signed in. At most one is open at a time; a closed one reports nothing. */
export class Connection {
  #socket: ChatSocket | null = null;
  #comeback: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly report: (event: ConnectionEvent) => void,
    /** Null for the client's own way: polling first, then WebSocket. */
    private readonly transports: readonly Transport[] | null,
  ) {}

  connect(): void {
    this.disconnect();
    const socket: ChatSocket = io("/chat", {
      forceNew: true,
      reconnectionDelay: FIRST_RETRY,
      reconnectionDelayMax: LONGEST_RETRY,
      ...(this.transports && { transports: [...this.transports] }),
    });
    this.#socket = socket;
    this.#watchConnection(socket);
    this.#watchServer(socket);
  }

  disconnect(): void {
    clearTimeout(this.#comeback);
    this.#socket?.off();
    this.#socket?.disconnect();
    this.#socket = null;
  }

  /** Asks once. Never fails: where no answer comes, the answer says so. */
  readonly request = <Name extends RequestName>(name: Name, asked: Asked<Name>): Promise<Answered<Name>> => {
    const socket = this.#socket;
    if (socket?.connected !== true) return Promise.resolve(unanswered("There is no connection just now."));
    // The client's types do not follow a name that is itself a parameter.
    const emit = socket.timeout(ANSWER_TIMEOUT).emitWithAck.bind(socket.timeout(ANSWER_TIMEOUT)) as (
      name: Name,
      asked: Asked<Name>,
    ) => Promise<Answered<Name>>;
    return emit(name, asked).catch(() => unanswered<Name>("No answer came. Please try again."));
  };

  tellTyping(room: string): void {
    this.#socket?.volatile.emit("typing", { room });
  }

  #watchConnection(socket: ChatSocket): void {
    socket.on("connect", () => {
      const { engine } = socket.io;
      this.report({
        type: "connected",
        recovered: socket.recovered,
        transport: transportNamed(engine.transport.name),
      });
      engine.once("upgrade", (transport) => {
        this.report({ type: "transport changed", transport: transportNamed(transport.name) });
      });
    });
    socket.on("disconnect", (reason) => {
      this.report({ type: "disconnected", at: Date.now() });
      // The client takes a disconnect by the server for the last word; a person in a chat would rather be back.
      if (reason === "io server disconnect") this.#comeBack(socket, FIRST_RETRY);
    });
    socket.on("connect_error", (error: Error & { data?: { code?: string; retryAfterMs?: number } }) => {
      // An active socket tries again by itself; any other was refused.
      if (socket.active) return;
      const code = error.data?.code ?? "";
      this.report({ type: "refused", code });
      if (this.#socket === socket) this.#comeBack(socket, error.data?.retryAfterMs ?? REFUSED_RETRY);
    });
  }

  #comeBack(socket: ChatSocket, after: number): void {
    clearTimeout(this.#comeback);
    this.#comeback = setTimeout(() => socket.connect(), after);
  }

  #watchServer(socket: ChatSocket): void {
    const { report } = this;
    socket.on("welcome", (welcome) => {
      report({ type: "welcomed", welcome });
    });
    socket.on("placement", (placement) => {
      report({ type: "placed", placement });
    });
    socket.on("message", (message) => {
      report({ type: "message arrived", message });
    });
    socket.on("message.changed", (message) => {
      report({ type: "message changed", message });
    });
    socket.on("typing", ({ room, name }) => {
      report({ type: "typing told", room, name, at: Date.now() });
    });
    socket.on("presence", (change) => {
      report({ type: "presence told", change });
    });
    socket.on("presence.lost", () => {
      report({ type: "presence lost" });
    });
    socket.on("room.changed", (change) => {
      report({ type: "room changed", change });
    });
    socket.on("members.changed", (change) => {
      report({ type: "members changed", change });
    });
    socket.on("room.joined", (membership) => {
      report({ type: "room joined", membership });
    });
    socket.on("room.left", (left) => {
      report({ type: "room left", left });
    });
    socket.on("room.read", (mark) => {
      report({ type: "read told", mark });
    });
    socket.on("invitation", (invitation) => {
      report({ type: "invited", invitation });
    });
    socket.on("invitation.gone", ({ room }) => {
      report({ type: "invitation gone", room });
    });
    socket.on("person", (person) => {
      report({ type: "person changed", person });
    });
    socket.on("signed out", ({ reason }) => {
      report({ type: "signed out", reason });
    });
  }
}

function unanswered<Name extends RequestName>(message: string): Answered<Name> {
  return { ok: false, error: { code: NO_ANSWER, message } };
}

function transportNamed(name: string): Transport {
  return name === "websocket" ? "websocket" : "polling";
}
