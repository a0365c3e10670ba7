import http from "node:http";
import { send, type Answer } from "./http.ts";
import { RawWebSocket } from "./websocket.ts";

/** Separates packets in a payload. */
export const SEPARATOR = "\x1e";

export interface Handshake {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

/** The address of a request: `base` is the path of an Engine.IO server with its final slash. */
export function engineUrl(base: string, transport: "polling" | "websocket", sid?: string): string {
  return `${base}?EIO=4&transport=${transport}${sid === undefined ? "" : `&sid=${sid}`}`;
}

export function parseHandshake(packet: unknown): Handshake {
  if (typeof packet !== "string" || !packet.startsWith("0")) {
    throw new Error(`not an open packet: ${String(packet)}`);
  }
  return JSON.parse(packet.slice(1)) as Handshake;
}

/** An Engine.IO session over long-polling, driven request by request. */
export class PollingSession implements Disposable {
  readonly handshake: Handshake;
  readonly #base: string;
  // As browsers do: connections are kept, so that a proxy which is faithful to connections would be found out.
  readonly #agent: http.Agent;

  private constructor(base: string, agent: http.Agent, handshake: Handshake) {
    this.#base = base;
    this.#agent = agent;
    this.handshake = handshake;
  }

  static async open(base: string): Promise<PollingSession> {
    const agent = new http.Agent({ keepAlive: true });
    const answer = await send(engineUrl(base, "polling"), { agent });
    if (answer.status !== 200) throw new Error(`handshake refused: ${answer.status} ${answer.text}`);
    return new PollingSession(base, agent, parseHandshake(answer.text));
  }

  get sid(): string {
    return this.handshake.sid;
  }

  get url(): string {
    return engineUrl(this.#base, "polling", this.sid);
  }

  /** One GET, which hangs until there is something. */
  poll(signal?: AbortSignal): Promise<Answer> {
    return send(this.url, { agent: this.#agent, signal });
  }

  /** One POST. */
  push(
    body: string | Uint8Array,
    headers: Record<string, string> = { "content-type": "text/plain" },
  ): Promise<Answer> {
    return send(this.url, { method: "POST", body, headers, agent: this.#agent });
  }

  /** Any other request on the session's address. */
  request(method: string): Promise<Answer> {
    return send(this.url, { method, agent: this.#agent });
  }

  /** Polls until `count` packets have come, not counting pings, which it answers, and noops. */
  async take(count: number): Promise<string[]> {
    const packets: string[] = [];
    while (packets.length < count) {
      const answer = await this.poll();
      if (answer.status !== 200) throw new Error(`poll refused: ${answer.status} ${answer.text}`);
      for (const packet of answer.text.split(SEPARATOR)) {
        if (packet === "2") await this.push("3");
        else if (packet !== "6") packets.push(packet);
      }
    }
    return packets;
  }

  /** Opens a WebSocket for this session, as the first step of an upgrade or what looks like one. */
  webSocket(): Promise<RawWebSocket> {
    return RawWebSocket.open(engineUrl(this.#base, "websocket", this.sid));
  }

  /** The whole upgrade, with no poll under way. */
  async upgrade(): Promise<RawWebSocket> {
    const socket = await this.webSocket();
    socket.send("2probe");
    const pong = await socket.next();
    if (pong !== "3probe") throw new Error(`the probe was answered with ${String(pong)}`);
    socket.send("5");
    return socket;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** An Engine.IO session that was a WebSocket from the start. */
export class EngineSocket extends RawWebSocket {
  #handshake: Handshake | undefined;

  /** Opens the session and reads the open packet. */
  static async start(base: string): Promise<EngineSocket> {
    const socket = await new EngineSocket(engineUrl(base, "websocket")).opened();
    socket.#handshake = parseHandshake(await socket.next());
    return socket;
  }

  get handshake(): Handshake {
    if (!this.#handshake) throw new Error("the open packet has not been read");
    return this.#handshake;
  }

  get sid(): string {
    return this.handshake.sid;
  }
}
