/**
 * Ways to break the reference server, each against one rule. `npm run test:mutants` shows for every one of them that
 * some test fails: a test that cannot fail proves nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerOptions, Socket as EngineSocket } from "engine.io";

export interface Fault {
  /** The test file, without its ending, in which a test must fail. */
  readonly caughtBy: string;
  /** In place of what the flags say. */
  readonly options?: ServerOptions & { connectTimeout?: number };
  /** Tampers with an HTTP exchange before the server sees it; true when it has answered by itself. */
  readonly exchange?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Tampers with a session of the echoing engine. */
  readonly session?: (socket: EngineSocket) => void;
  /** What is delivered to a room in place of a message. */
  readonly publish?: (message: Delivery) => Delivery[];
}

export interface Delivery {
  room: string | number;
  payload: unknown;
}

const FOR_EVER = 3_600_000;

export const faults: Record<string, Fault> = {
  "a message to a room is lost now and then": {
    caughtBy: "cluster/crowd",
    publish: nowAndThen(() => []),
  },
  "a message to a room is doubled now and then": {
    caughtBy: "cluster/crowd",
    publish: nowAndThen((message) => [message, message]),
  },
  "a message to a room is overtaken by the next now and then": {
    caughtBy: "cluster/crowd",
    publish: overtaking(),
  },
  "no upgrade is offered": {
    caughtBy: "protocol/engine-handshake",
    options: { allowUpgrades: false },
  },
  "an error has another text": {
    caughtBy: "protocol/engine-refusals",
    exchange: (_, response) => {
      changeBody(response, (body) => body.replace("Session ID unknown", "Unknown session ID"));
      return false;
    },
  },
  "answers may be cached": {
    caughtBy: "protocol/engine-polling",
    exchange: (_, response) => {
      dropHeader(response, "cache-control", () => true);
      return false;
    },
  },
  "a frame may be of any size, and a body, too": {
    caughtBy: "protocol/engine-limits",
    options: { maxHttpBufferSize: 1_000_000_000 },
  },
  "errors are without the CORS headers": {
    caughtBy: "protocol/engine-cors",
    exchange: (_, response) => {
      dropHeader(response, "access-control-allow-origin", (status) => status >= 400);
      return false;
    },
  },
  "a pong may be late for ever": {
    caughtBy: "protocol/engine-heartbeat",
    options: { pingTimeout: FOR_EVER },
  },
  "a second poll is put up with": {
    caughtBy: "protocol/engine-close",
    exchange: secondPollsAnswered(),
  },
  "a cancelled poll goes unnoticed": {
    caughtBy: "protocol/engine-close",
    exchange: (request) => {
      const on = request.on.bind(request) as (event: string, listener: unknown) => IncomingMessage;
      const deaf = (event: string, listener: unknown) =>
        event === "close" && request.method === "GET" ? request : on(event, listener);
      request.on = deaf as typeof request.on;
      return false;
    },
  },
  "a hanging poll is not released by the probe": {
    caughtBy: "protocol/engine-upgrade",
    exchange: (_, response) => {
      const end = response.end.bind(response) as (body?: unknown) => ServerResponse;
      response.end = (body?: unknown) => (body === "6" ? response : end(body));
      return false;
    },
  },
  "a noop gets into the WebSocket": {
    caughtBy: "protocol/engine-upgrade",
    session: (socket) => {
      socket.once("upgrade", () => {
        socket.transport.send([{ type: "noop" }]);
      });
    },
  },
  "a client that never sends CONNECT is never closed": {
    caughtBy: "protocol/socket-connect",
    options: { connectTimeout: FOR_EVER },
  },
};

/** The fault that this process was told to have. */
export function chosenFault(): Fault | undefined {
  const name = process.env["HITHER_FAULT"];
  if (name === undefined) return undefined;
  const fault = faults[name];
  if (!fault) throw new Error(`no such fault: ${name}`);
  return fault;
}

/** Leaves most messages alone. */
function nowAndThen(tamper: (message: Delivery) => Delivery[]): (message: Delivery) => Delivery[] {
  let count = 0;
  return (message) => ((count += 1) % 25 === 0 ? tamper(message) : [message]);
}

/** Holds a message back until the next one to the same room has gone. */
function overtaking(): (message: Delivery) => Delivery[] {
  const held = new Map<Delivery["room"], Delivery[]>();
  const hold = nowAndThen((message) => {
    held.set(message.room, [...(held.get(message.room) ?? []), message]);
    return [];
  });
  return (message) => {
    const late = held.get(message.room) ?? [];
    held.delete(message.room);
    return [...hold(message), ...late];
  };
}

function secondPollsAnswered(): (request: IncomingMessage, response: ServerResponse) => boolean {
  const polled = new Set<string>();
  return (request, response) => {
    const sid = new URL(request.url ?? "/", "http://any").searchParams.get("sid");
    if (request.method !== "GET" || sid === null) return false;
    if (polled.has(sid)) {
      response.end("6");
      return true;
    }
    polled.add(sid);
    response.once("close", () => polled.delete(sid));
    return false;
  };
}

function changeBody(response: ServerResponse, change: (body: string) => string): void {
  const end = response.end.bind(response) as (body?: unknown) => ServerResponse;
  response.end = (body?: unknown) => end(typeof body === "string" ? change(body) : body);
}

function dropHeader(response: ServerResponse, name: string, when: (status: number) => boolean): void {
  const writeHead = response.writeHead.bind(response) as (status: number, headers: object) => ServerResponse;
  response.writeHead = (status: number, given?: unknown) => {
    const headers = Object.entries(given ?? {});
    if (!when(status)) return writeHead(status, Object.fromEntries(headers));
    response.removeHeader(name);
    return writeHead(status, Object.fromEntries(headers.filter(([header]) => header !== name)));
  };
}
