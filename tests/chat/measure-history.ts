/*
 * How long a page waits for a part of a room that has 100 messages, and of one that has 1,000,000, with either kind of store:
 *
 *     npx tsx chat/measure-history.ts [MESSAGES]
 *
 * The store is filled by an import, and asked through a node by a stock client, one request at a time.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherBinary, hitherNode } from "../harness/programs.ts";
import { startStore, storeFile, type StoreKind, storeKinds } from "../harness/stores.ts";
import { type Membership, Person } from "./person.ts";

const run = promisify(execFile);
const SMALL = 100;
const TIMES = 30;
/** Searches are limited to one a second. */
const SEARCHES = 8;
const BIG = Number(process.argv[2] ?? 1_000_000);

const folder = mkdtempSync(path.join(tmpdir(), "hither-measure-"));
const filled = path.join(folder, "filled");
const { name, rooms } = await fillExport();
for (const kind of storeKinds) await measure(kind);
rmSync(folder, { recursive: true });
process.exit();

/** An export of a store with the two rooms, and who is in them. */
async function fillExport(): Promise<{ name: string; rooms: Map<number, Membership> }> {
  const store = storeFile();
  const cluster = await Cluster.start({ program: hitherNode(store), size: 1 });
  const ada = await Person.member(cluster.urls[0] ?? "");
  const rooms = new Map<number, Membership>();
  for (const size of [SMALL, BIG]) {
    const room = await ada.create();
    await ada.say(room.room, "first");
    rooms.set(size, room);
  }
  closeClients();
  await cluster.destroy();
  const exported = path.join(folder, "exported");
  await run(hitherBinary(), ["store", "export", "--store", store, exported]);
  await multiply(exported, rooms);
  return { name: ada.name, rooms };
}

/** Writes the export once more, with as many messages in each room as it is to have. */
async function multiply(exported: string, rooms: Map<number, Membership>): Promise<void> {
  const out = createWriteStream(filled);
  const sizes = new Map<string, number>();
  for await (const line of createInterface({ input: createReadStream(exported) })) {
    // The ids of rooms have more digits than a number has here, so lines are changed as text.
    const field = (name: string) => new RegExp(`"${name}":("[^"]*"|-?\\d+)`).exec(line)?.[1] ?? "";
    const size = [...rooms].find(([, room]) => line.includes(JSON.stringify(room.name)))?.[0];
    if (line.includes('"table":"rooms"') && size !== undefined) {
      sizes.set(field("id"), size);
      out.write(`${line.replace(/"last_number":\d+/, `"last_number":${size}`)}\n`);
    } else if (line.includes('"table":"messages"') && sizes.has(field("room"))) {
      const time = Number(field("time"));
      const last = sizes.get(field("room")) ?? 0;
      for (let number = 1; number <= last; number += 1) {
        const message = line
          .replace(/"number":\d+/, `"number":${number}`)
          .replace(/"time":\d+/, `"time":${time - (last - number) * 1_000}`)
          .replace(/"client_id":"[^"]*"/, `"client_id":"${last}-${number}"`)
          .replace(/"text":"[^"]*"/, `"text":${JSON.stringify(sentence(number, last))}`);
        if (!out.write(`${message}\n`)) await once(out, "drain");
      }
    } else {
      out.write(`${line}\n`);
    }
  }
  out.end();
  await once(out, "close");
}

/** Ten words, some in each message, some in one of a thousand, and one that is there once. */
function sentence(number: number, last: number): string {
  const words = Array.from(
    { length: 10 },
    (_, place) => `word${(number * (place + 7)) % (10 ** (place % 4) * 10)}`,
  );
  if (number === Math.ceil(last / 3)) words[0] = "aardvark";
  return words.join(" ");
}

async function measure(kind: StoreKind): Promise<void> {
  const store = await startStore(kind);
  const began = performance.now();
  await run(hitherBinary(), ["store", "import", "--store", store.url, filled]);
  console.log(`${kind}: imported in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  const cluster = await Cluster.start({ program: hitherNode(store.url), size: 1 });
  const ada = await Person.signIn(cluster.urls[0] ?? "", name);
  for (const [size, { room }] of rooms) {
    const middle = Math.floor(size / 2);
    const { messages: [at] = [] } = await ada.must("message.history", { room, around: middle, limit: 1 });
    assert.ok(at);
    const asked = {
      "the last 50": [TIMES, "message.history", {}],
      "50 in the middle": [TIMES, "message.history", { around: middle }],
      "50 from a date": [TIMES, "message.history", { date: at.time }],
      "a word that is there once": [SEARCHES, "message.search", { query: "aardvark" }],
      "a word of every tenth message": [SEARCHES, "message.search", { query: "word7" }],
    } as const;
    for (const [what, [times, event, more]] of Object.entries(asked)) {
      const took: number[] = [];
      for (let time = 0; time < times; time += 1) {
        const from = performance.now();
        const { messages = [] } = await ada.must(event, { room, ...more });
        took.push(performance.now() - from);
        assert.ok(messages.length > 0, what);
        if (event === "message.search") await sleep(1_100);
      }
      took.sort((one, other) => one - other);
      const [median = 0, most = 0] = [took[Math.floor(times / 2)], took.at(-1)];
      console.log(
        `${kind}, ${size} messages, ${what}: ${median.toFixed(1)} ms (median), ${most.toFixed(1)} ms (most)`,
      );
    }
  }
  closeClients();
  await cluster.destroy();
  await store.stop();
}
