import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Durability, Postgres } from "./postgres.ts";

/** What the chat can keep its accounts, rooms and messages in. */
export const storeKinds = ["SQLite", "PostgreSQL"] as const;

export type StoreKind = (typeof storeKinds)[number];

/** An empty store, which lasts until it is stopped or the test process ends. */
export interface Store {
  /** As `--store` takes it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** SQLite's files survive a power cut in any case. */
export async function startStore(kind: StoreKind, durability: Durability = "kill"): Promise<Store> {
  if (kind === "SQLite") return { url: storeFile(), stop: () => Promise.resolve() };
  const server = await Postgres.start(durability);
  return { url: server.url, stop: () => server.kill() };
}

/** A file that is not there yet, in a folder of its own. */
export function storeFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "hither-store-"));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  return `sqlite:${path.join(folder, "chat.db")}`;
}
