import http, { type IncomingMessage, type ServerResponse } from "node:http";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** Says which of `count` nodes gets the next request. */
export type Order = (count: number) => number;

export function inTurn(): Order {
  let turn = 0;
  return (count) => turn++ % count;
}

/** The same seed gives the same choices. */
export function atRandom(seed: number): Order {
  let state = seed >>> 0;
  return (count) => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}

/**
 * The worst balancer there is: a reverse proxy that sends every single request, each poll, push and upgrade, to another
 * node, whatever connection it came on. A node that refuses connections is passed over; a request that has reached
 * a node is never repeated.
 */
export class Scatter {
  readonly #server = http.createServer();
  readonly #nodes: () => readonly string[];
  readonly #order: Order;
  readonly #nodesBySession = new Map<string, Set<string>>();
  readonly #connections = new Set<net.Socket>();

  private constructor(nodes: () => readonly string[], order: Order) {
    this.#nodes = nodes;
    this.#order = order;
    // Long-polls hang and WebSockets stay: nothing here may time out before the servers do.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    // A request on a kept connection that is closed just then would be lost.
    this.#server.keepAliveTimeout = 0;
    this.#server.on("connection", (socket: net.Socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.#server.on("request", (request, response) => void this.#forward(request, response));
    this.#server.on("upgrade", (request, client, head) => void this.#tunnel(request, client, head));
  }

  /** Listens on a free port. `nodes` gives the nodes' URLs and is asked anew for each request. */
  static async start(nodes: () => readonly string[], order: Order = inTurn()): Promise<Scatter> {
    const scatter = new Scatter(nodes, order);
    await new Promise<void>((resolve) => scatter.#server.listen(0, "127.0.0.1", resolve));
    return scatter;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** URLs of the nodes that have had a request of this session. */
  nodesThatServed(sid: string): Set<string> {
    return this.#nodesBySession.get(sid) ?? new Set();
  }

  /** Drops every connection, WebSockets included. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const upstream = await this.#connect(request);
    if (!upstream) {
      response.writeHead(503).end("no node accepts connections");
      return;
    }
    if (response.closed) {
      upstream.destroy();
      return;
    }
    const onward = http.request({
      createConnection: () => upstream,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, connection: "close" },
    });
    onward.once("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.rawHeaders, request.complete));
      answer.pipe(response, { end: false });
      answer.once("end", () => void finish(request, response));
      answer.once("error", () => response.destroy());
    });
    onward.on("error", () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { connection: "close" }).end("the node broke the connection");
    });
    response.once("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
    request.pipe(onward);
  }

  /** Hands the connection over as it is, so that refusals come through unchanged, too. */
  async #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on("error", () => undefined);
    const upstream = await this.#connect(request);
    if (!upstream || client.destroyed) {
      client.destroy();
      upstream?.destroy();
      return;
    }
    upstream.write(requestHead(request));
    upstream.write(head);
    upstream.pipe(client).pipe(upstream);
    upstream.once("close", () => client.destroy());
    client.once("close", () => upstream.destroy());
  }

  /** A connection to the next node that accepts one. */
  async #connect(request: IncomingMessage): Promise<net.Socket | undefined> {
    const nodes = this.#nodes();
    const first = this.#order(nodes.length);
    for (let step = 0; step < nodes.length; step += 1) {
      const node = nodes[(first + step) % nodes.length];
      if (node === undefined) continue;
      const socket = await connectTo(new URL(node));
      if (!socket) continue;
      this.#note(request, node);
      return socket;
    }
    return undefined;
  }

  #note(request: IncomingMessage, node: string): void {
    const sid = new URL(request.url ?? "/", node).searchParams.get("sid");
    if (sid === null) return;
    const nodes = this.#nodesBySession.get(sid) ?? new Set();
    this.#nodesBySession.set(sid, nodes.add(node));
  }
}

function connectTo({ hostname, port }: URL): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once("connect", () => {
      socket.removeAllListeners("error").on("error", () => undefined);
      resolve(socket);
    });
    socket.once("error", () => {
      resolve(undefined);
    });
  });
}

function requestHead({ method = "GET", url = "/", rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2)
    head += `${rawHeaders[at] ?? ""}: ${rawHeaders[at + 1] ?? ""}\r\n`;
  return `${head}\r\n`;
}

/** How long a client has to read an answer that came before its request was whole. */
const LINGER_MS = 500;

/**
 * Closing a connection on which something is unread destroys what the client has not yet read. So whoever is still
 * sending when the answer is there gets a moment to notice; nothing more of the request is read meanwhile.
 */
async function finish(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!request.complete) {
    request.unpipe();
    await Promise.race([sleep(LINGER_MS), new Promise((resolve) => response.once("close", resolve))]);
  }
  response.end();
}

const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding"]);

function endToEnd(rawHeaders: readonly string[], requestWasRead: boolean): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, value);
  }
  // A body that the node did not want is not read to its end: that connection is of no more use.
  if (!requestWasRead) kept.push("connection", "close");
  return kept;
}
