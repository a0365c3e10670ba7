/*
 * Clients that poll and upload at a steady rate: uploading.ts CLIENTS BODY-BYTES BYTES-A-SECOND URL... The answer to the first line
 * of the standard input comes when each of them has uploaded once. At the second they stop; when all uploads are answered each asks
 * something and leaves, and the answer says how all that went.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { PollingSession, SEPARATOR } from "../harness/engine.ts";
import type { Answer } from "../harness/http.ts";
import type { Uploaded } from "./uploads.ts";

const [clients = 0, bytes = 0, rate = 0] = process.argv.slice(2, 5).map(Number);
const urls = process.argv.slice(5);
const body = `42["x","${"y".repeat(bytes)}"]`;
/** From one upload of a client to its next, in milliseconds. */
const pace = (clients * body.length * 1_000) / rate;

const uploaded: Uploaded = { bytes: 0, statuses: {}, reopened: 0, served: 0, slowest: 0 };
const enough = new AbortController();

/** A session that, as those of browsers, polls all the time and has one POST under way at most. */
class Client {
  readonly #session: PollingSession;
  /** Acks as they come; ends with the session. */
  readonly acked: Promise<string | undefined>;
  #pushed: Promise<unknown> = Promise.resolve();

  private constructor(session: PollingSession) {
    this.#session = session;
    this.acked = this.#poll();
  }

  static async open(url: string): Promise<Client> {
    const session = await PollingSession.open(`${url}/socket.io/`);
    await session.push("40");
    await session.take(2);
    return new Client(session);
  }

  push(payload: string): Promise<Answer> {
    const pushed = this.#pushed.then(() => this.#session.push(payload));
    // Who pushed sees the error; the next in turn is not concerned.
    this.#pushed = pushed.catch(() => undefined);
    return pushed;
  }

  /** The first ack that comes, if one does before the session ends. */
  async #poll(): Promise<string | undefined> {
    for (;;) {
      const { status, text } = await this.#session.poll();
      if (status !== 200) return undefined;
      for (const packet of text.split(SEPARATOR)) {
        if (packet === "2") await this.push("3");
        else if (packet.startsWith("43")) return packet;
      }
    }
  }
}

/** Uploads until it is enough, then asks something. */
async function upload(url: string, underWay: () => void): Promise<void> {
  let client = await Client.open(url);
  // Not all at the same moment.
  await pause(Math.random() * pace);
  do {
    const began = performance.now();
    const { status } = await client.push(body);
    const took = performance.now() - began;
    uploaded.slowest = Math.max(uploaded.slowest, Math.round(took));
    uploaded.statuses[status] = (uploaded.statuses[status] ?? 0) + 1;
    uploaded.bytes += body.length;
    underWay();
    if (status !== 200) {
      uploaded.reopened += 1;
      client = await Client.open(url);
    }
    await pause(pace - took);
  } while (!enough.signal.aborted);
  await client.push('421["echo","still there"]');
  if ((await client.acked) === '431["still there"]') uploaded.served += 1;
  await client.push(`41${SEPARATOR}1`);
}

async function pause(milliseconds: number): Promise<void> {
  if (milliseconds > 0 && !enough.signal.aborted)
    await sleep(milliseconds, undefined, { signal: enough.signal }).catch(() => undefined);
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await lines.next();
const ends: Promise<void>[] = [];
await Promise.all(
  Array.from(
    { length: clients },
    (_, index) =>
      new Promise<void>((underWay, fail) => {
        const end = upload(urls[index % urls.length] ?? "", underWay);
        end.catch(fail);
        ends.push(end);
      }),
  ),
);
process.stdout.write("{}\n");
await lines.next();
enough.abort();
await Promise.all(ends);
process.stdout.write(`${JSON.stringify(uploaded)}\n`);
await lines.next();
process.exit(0);
