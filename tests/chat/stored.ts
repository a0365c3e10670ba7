import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { hitherBinary } from "../harness/programs.ts";

const run = promisify(execFile);

export interface StoredMessage {
  number: number;
  id: string;
}

/** The messages of each room, by its name, in the order of their numbers, as the store itself has them. */
export async function storedMessages(store: string): Promise<Map<string, StoredMessage[]>> {
  await run(hitherBinary(), ["store", "check", "--store", store]);
  const folder = await mkdtemp(path.join(tmpdir(), "hither-export-"));
  try {
    const file = path.join(folder, "export");
    await run(hitherBinary(), ["store", "export", "--store", store, file]);
    return await messagesOfExport(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** No number is missing, and no message is there twice. Gives the number of each by its id. */
export function requireGapless(stored: readonly StoredMessage[]): Map<string, number> {
  assert.deepEqual(
    stored.map(({ number }) => number),
    stored.map((_, index) => index + 1),
    "numbers have gaps",
  );
  const numbers = new Map(stored.map(({ id, number }) => [id, number]));
  assert.equal(numbers.size, stored.length, "a message is stored twice");
  return numbers;
}

async function messagesOfExport(file: string): Promise<Map<string, StoredMessage[]>> {
  const names = new Map<string, string>();
  const messages = new Map<string, StoredMessage[]>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { table, row = {} } = JSON.parse(line) as { table?: string; row?: Record<string, unknown> };
    if (table !== "rooms" && table !== "messages") continue;
    // The ids of rooms have more digits than a number has here, so they are taken from the text.
    const id = new RegExp(`"${table === "rooms" ? "id" : "room"}":(-?\\d+)`).exec(line)?.[1] ?? "";
    if (table === "rooms") names.set(id, String(row["name"]));
    else {
      const message = { number: Number(row["number"]), id: String(row["client_id"]) };
      const others = messages.get(id);
      if (others) others.push(message);
      else messages.set(id, [message]);
    }
  }
  return new Map(
    [...messages].map(([id, stored]) => [
      names.get(id) ?? "",
      stored.sort((one, other) => one.number - other.number),
    ]),
  );
}
