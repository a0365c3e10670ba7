/*
 * Clients that upload as fast as they can: uploaders.ts CLIENTS BODY-BYTES MILLISECONDS URL... They open their sessions. At the
 * first line of the standard input they upload, and say how that went; at the second, how many of them are still served.
 */
import { createInterface } from "node:readline";
import { PollingSession } from "../harness/engine.ts";

/** How the uploads went. */
export interface Uploads {
  /** How many were answered with each status. */
  statuses: Record<string, number>;
  /** Milliseconds that the slowest took. */
  slowest: number;
}

const [clients = 0, bytes = 0, lasting = 0] = process.argv.slice(2, 5).map(Number);
const urls = process.argv.slice(5);
const body = `42["x","${"y".repeat(bytes)}"]`;

const sessions = await Promise.all(
  Array.from({ length: clients }, async (_, index) => {
    const session = await PollingSession.open(`${urls[index % urls.length] ?? ""}/socket.io/`);
    await session.push("40");
    await session.take(2);
    return session;
  }),
);

async function upload(): Promise<Uploads> {
  const uploads: Uploads = { statuses: {}, slowest: 0 };
  const end = performance.now() + lasting;
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() < end) {
        const began = performance.now();
        const { status } = await session.push(body);
        uploads.slowest = Math.max(uploads.slowest, performance.now() - began);
        uploads.statuses[status] = (uploads.statuses[status] ?? 0) + 1;
      }
    }),
  );
  return uploads;
}

async function served(): Promise<number> {
  let count = 0;
  for (const session of sessions) {
    const asked = session.push('421["echo","still there"]');
    const [answer] = await session.take(1);
    if (answer === '431["still there"]' && (await asked).status === 200) count += 1;
  }
  return count;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (const step of [upload, served]) {
  if ((await lines.next()).done) break;
  process.stdout.write(`${JSON.stringify(await step())}\n`);
}
await lines.next();
process.exit(0);
