import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "../harness/wait.ts";

const folder = path.dirname(fileURLToPath(import.meta.url));

/** A program beside the test, so that neither waits for the other. It answers each line of its input with one of JSON. */
export class Companion {
  readonly #name: string;
  readonly #process;
  readonly #lines;

  /** Starts a file of this folder. */
  constructor(name: string, args: readonly string[]) {
    this.#name = name;
    this.#process = spawn(process.execPath, ["--import", "tsx", path.join(folder, name), ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ask<T>(patience = 20_000): Promise<T> {
    this.#process.stdin.write("\n");
    const line = await within(patience, `an answer of ${this.#name}`, this.#lines.next());
    return JSON.parse(String(line.value)) as T;
  }

  /** Waits until it has ended, as it does with its input. */
  async end(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.stdin.end();
    await within(5_000, `${this.#name} gone`, exited);
  }
}
