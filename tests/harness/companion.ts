import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "./wait.ts";

/** A program beside the test, so that neither waits for the other. It answers each line of its input with one of JSON. */
export class Companion {
  readonly #name: string;
  readonly #process;
  readonly #lines;
  readonly #exited: Promise<number | null>;

  /** Starts a file: `new URL("./name.ts", import.meta.url)`. */
  constructor(file: URL, args: readonly string[]) {
    const program = fileURLToPath(file);
    this.#name = path.basename(program);
    this.#process = spawn(process.execPath, ["--import", "tsx", program, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ask<T>(patience = 20_000): Promise<T> {
    this.#process.stdin.write("\n");
    const line = await within(patience, `an answer of ${this.#name}`, this.#lines.next());
    return JSON.parse(String(line.value)) as T;
  }

  /** Waits until it has ended, as it does with its input. It must not have ended by itself before. */
  async end(): Promise<void> {
    this.#process.stdin.end();
    const code = await within(20_000, `${this.#name} gone`, this.#exited);
    assert.equal(code, 0, `${this.#name} has failed; what it said is above`);
  }

  /** Ends it at once, whatever it does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }
}
