import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket, type ClientOptions } from "ws";
import { DEFAULT_DEADLINE_MS, within } from "./wait.ts";

/** A frame as it came: text as a string, binary as bytes. */
export type Frame = string | Buffer;

export interface Closing {
  code: number;
  reason: string;
}

/** A WebSocket whose frames are read one after the other, so that none can be missed. */
export class RawWebSocket implements Disposable {
  /** Resolves when the socket is closed, whichever side did it. */
  readonly closed: Promise<Closing>;
  readonly #url: string;
  readonly #socket: WebSocket;
  readonly #frames: Frame[] = [];
  readonly #readers: ((frame: Frame) => void)[] = [];
  #connection: Socket | undefined;

  constructor(url: string, options: ClientOptions = {}) {
    const socket = new WebSocket(url.replace(/^http/, "ws"), { perMessageDeflate: false, ...options });
    this.#url = url;
    this.#socket = socket;
    socket.once("upgrade", ({ socket: connection }) => {
      this.#connection = connection;
    });
    socket.on("message", (data: Buffer, isBinary) => {
      const frame = isBinary ? data : data.toString("utf8");
      const reader = this.#readers.shift();
      if (reader) reader(frame);
      else this.#frames.push(frame);
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString("utf8") });
      });
    });
    // A connection that breaks is also reported as closed.
    socket.on("error", () => undefined);
  }

  /** Waits until the socket is open; rejects with what the server answered when it refuses the upgrade. */
  async opened(): Promise<this> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#socket.once("open", resolve);
      this.#socket.once("error", reject);
      this.#socket.once("unexpected-response", (request, response) => {
        const status = response.statusCode ?? 0;
        request.destroy();
        reject(new UpgradeRefused(status));
      });
    });
    await within(DEFAULT_DEADLINE_MS, `WebSocket to ${this.#url} open`, opened);
    return this;
  }

  static open(url: string): Promise<RawWebSocket> {
    return new RawWebSocket(url).opened();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  /** Sends frames so that they arrive at once; throws if the socket is not open. */
  sendTogether(frames: readonly string[]): void {
    const connection = this.#connection;
    if (!connection || !this.isOpen) throw new Error(`the WebSocket to ${this.#url} is not open`);
    connection.cork();
    for (const frame of frames) this.send(frame);
    connection.uncork();
  }

  /** Sends one message in several fragments. */
  sendFragments(fragments: readonly string[]): void {
    for (const [index, fragment] of fragments.entries()) {
      this.sendFragment(fragment, index === fragments.length - 1);
    }
  }

  /** Sends a fragment of a message, which may be its last. */
  sendFragment(fragment: string, isLast: boolean): void {
    this.#socket.send(fragment, { fin: isLast });
  }

  /** A ping of the WebSocket protocol itself, and its pong. */
  async pingPong(): Promise<void> {
    const pong = new Promise((resolve) => this.#socket.once("pong", resolve));
    this.#socket.ping();
    await within(DEFAULT_DEADLINE_MS, "a WebSocket pong", pong);
  }

  /** The next frame; rejects when the socket is closed before there is one. */
  next(deadline = DEFAULT_DEADLINE_MS): Promise<Frame> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    const arrives = new Promise<Frame>((resolve) => this.#readers.push(resolve));
    const closes = this.closed.then(({ code, reason }) => {
      throw new Error(`WebSocket closed (${code} ${reason}) while a frame was awaited`);
    });
    return within(deadline, "a WebSocket frame", Promise.race([arrives, closes]));
  }

  async take(count: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  /** True when no frame is unread and none arrives for a while: for rules about what must not be sent. */
  async isSilent(milliseconds: number): Promise<boolean> {
    await sleep(milliseconds);
    return this.#frames.length === 0;
  }

  /** Waits until the other side has closed the socket. */
  async isClosed(deadline = DEFAULT_DEADLINE_MS): Promise<Closing> {
    return within(deadline, "the server closes the WebSocket", this.closed);
  }

  /** Stops reading from the connection, so that the sender runs into its window. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** An orderly close, begun by us. */
  async close(): Promise<void> {
    this.#socket.close();
    await this.isClosed();
  }

  /** Drops the connection without a word. */
  drop(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

/** The server answered an upgrade with something else than 101. */
export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`upgrade refused with HTTP ${status}`);
    this.status = status;
  }
}
