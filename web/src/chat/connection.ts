import { io, type Socket } from "socket.io-client";
import type { Answer, ClientEvents, ServerEvents, Transport } from "./protocol";
import type { Command, ConnectionEvent, Outcome } from "./state/events";

/** How long an acknowledgement may take, in milliseconds, before a request counts as unanswered. */
const ANSWER_TIMEOUT = 8_000;

/** Before the first attempt to come back, in milliseconds; it doubles up to the longest, with jitter. */
const FIRST_RETRY = 300;
const LONGEST_RETRY = 5_000;

type ChatSocket = Socket<ServerEvents, ClientEvents>;

/** Carries out commands on a socket, and reports what comes of them. At most one socket is open at a time. */
export class Connection {
  #session: Session | null = null;

  constructor(
    private readonly report: (event: ConnectionEvent) => void,
    /** Null for the client's own way: polling first, then WebSocket. */
    private readonly transports: readonly Transport[] | null,
  ) {}

  readonly perform = (command: Command): void => {
    switch (command.type) {
      case "connect":
        this.#session?.close();
        this.#session = new Session(command.name, this.transports, this.report);
        break;
      case "disconnect":
        this.#session?.close();
        this.#session = null;
        break;
      default:
        this.#session?.request(command);
    }
  };
}

type Request = Exclude<Command, { type: "connect" | "disconnect" }>;

/** One sign-in, from its first attempt to connect until it is closed; reports nothing afterwards. */
class Session {
  readonly #socket: ChatSocket;
  #report: (event: ConnectionEvent) => void;
  #comeback: ReturnType<typeof setTimeout> | undefined;

  constructor(
    name: string,
    transports: readonly Transport[] | null,
    report: (event: ConnectionEvent) => void,
  ) {
    this.#report = report;
    this.#socket = io("/chat", {
      auth: { name },
      forceNew: true,
      reconnectionDelay: FIRST_RETRY,
      reconnectionDelayMax: LONGEST_RETRY,
      ...(transports && { transports: [...transports] }),
    });
    this.#watchConnection();
    this.#watchRooms();
  }

  close(): void {
    this.#report = () => undefined;
    clearTimeout(this.#comeback);
    this.#socket.disconnect();
  }

  request(request: Request): void {
    const socket = this.#socket.timeout(ANSWER_TIMEOUT);
    switch (request.type) {
      case "join":
        this.#join(request.room);
        break;
      case "rejoin":
        socket.emit("leave room", { room: request.room }, () => {
          this.#join(request.room);
        });
        break;
      case "leave": {
        const { room } = request;
        socket.emit("leave room", { room }, (error, answer) => {
          this.#report({ type: "leave answered", room, outcome: outcome(error, answer, nothing) });
        });
        break;
      }
      case "send": {
        const { room, id, text: message } = request;
        socket.emit("chat message", { room, message }, (error, answer) => {
          this.#report({ type: "send answered", room, id, outcome: outcome(error, answer, nothing) });
        });
        break;
      }
      case "list rooms":
        socket.emit("list rooms", {}, (error, answer) => {
          const listed = outcome(error, answer, ({ rooms }) => rooms);
          // A list that does not come is asked for again soon enough.
          if (listed.is === "accepted") this.#report({ type: "rooms listed", rooms: listed.content });
        });
        break;
    }
  }

  #join(room: string): void {
    this.#socket.timeout(ANSWER_TIMEOUT).emit("join room", { room }, (error, answer) => {
      this.#report({
        type: "join answered",
        room,
        outcome: outcome(error, answer, ({ members }) => members),
      });
    });
  }

  #watchConnection(): void {
    const socket = this.#socket;
    socket.on("connect", () => {
      const { engine } = socket.io;
      this.#report({
        type: "connected",
        socketId: socket.id ?? "",
        recovered: socket.recovered,
        transport: transportNamed(engine.transport.name),
        at: Date.now(),
      });
      engine.once("upgrade", (transport) => {
        this.#report({ type: "transport changed", transport: transportNamed(transport.name) });
      });
    });
    socket.on("disconnect", (reason) => {
      // What the client kept back would go out before the rooms are joined again; it counts as unanswered instead.
      socket.sendBuffer = [];
      this.#report({ type: "disconnected" });
      // The client takes a disconnect by the server for the last word; a person in a chat would rather be back.
      if (reason === "io server disconnect") this.#comeback = setTimeout(() => socket.connect(), FIRST_RETRY);
    });
    socket.on("connect_error", (error) => {
      // An active socket tries again by itself; any other was refused.
      this.#report(socket.active ? { type: "unreachable" } : { type: "refused", problem: error.message });
    });
  }

  #watchRooms(): void {
    const socket = this.#socket;
    socket.on("welcome", (welcome) => {
      this.#report({ type: "welcomed", welcome });
    });
    socket.on("placement", (placement) => {
      this.#report({ type: "placed", placement });
    });
    socket.on("chat message", (message) => {
      this.#report({ type: "message received", message, at: Date.now() });
    });
    socket.on("join room", (member) => {
      this.#report({ type: "member joined", member, at: Date.now() });
    });
    socket.on("leave room", (departure) => {
      this.#report({ type: "member left", departure, at: Date.now() });
    });
    socket.on("room members", (list) => {
      this.#report({ type: "members replaced", list, at: Date.now() });
    });
  }
}

/** In the same turn as the packet: a promise would let the next packet overtake the answer. */
function outcome<Content, Taken>(
  error: Error | null,
  answer: Answer<Content>,
  take: (content: Content) => Taken,
): Outcome<Taken> {
  if (error !== null) return { is: "unanswered" };
  return answer.ok ? { is: "accepted", content: take(answer) } : { is: "refused", problem: answer.error };
}

const nothing = (): null => null;

function transportNamed(name: string): Transport {
  return name === "websocket" ? "websocket" : "polling";
}
