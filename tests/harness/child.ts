import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { registerForensics } from "./forensics.ts";
import { artifactPath } from "./artifacts.ts";
import { until, within } from "./wait.ts";

/** An account of this machine. */
export interface Owner {
  uid: number;
  gid: number;
}

export interface Command {
  program: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Who runs it; whoever runs the test unless given. */
  owner?: Owner | undefined;
  /** The working directory; that of the test unless given. */
  folder?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Lines of output kept in memory, to be printed when a test fails; the file in `artifacts/` has them all. */
const REMEMBERED_LINES = 60;

const living = new Set<Child>();

/** A process that cannot outlive the test process that started it. */
export class Child {
  readonly name: string;
  readonly logPath: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #unfinished = "";

  constructor(name: string, { program, args, env = {}, owner, folder }: Command) {
    this.name = name;
    this.logPath = artifactPath(`${name}.log`);
    // Written at once: whoever has seen a process end, or one of its lines, finds all of it in the file.
    const log = openSync(this.logPath, "a");
    this.#process = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
      cwd: folder,
      ...owner,
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        writeSync(log, text);
        this.#remember(text);
      });
    }
    living.add(this);
    this.exited = new Promise((resolve, reject) => {
      this.#process.once("error", (error) => {
        living.delete(this);
        reject(new Error(`cannot run ${program}: ${error.message}`));
      });
      this.#process.once("close", (code, signal) => {
        living.delete(this);
        closeSync(log);
        resolve({ code, signal });
      });
    });
    // Whoever waits sees the failure; when nobody waits it must not bring the test process down.
    this.exited.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return living.has(this);
  }

  /** The last lines it wrote, oldest first. */
  get lastLines(): readonly string[] {
    return this.#lines;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** SIGSTOP, and waits until all its threads have stopped: on a busy machine some run on for a moment. */
  async freeze(): Promise<void> {
    this.signal("SIGSTOP");
    const tasks = `/proc/${this.#process.pid}/task`;
    await until(`${this.name} stopped`, () =>
      readdirSync(tasks).every((task) => {
        // The state follows the name, which may hold spaces and parentheses.
        const stat = readFileSync(`${tasks}/${task}/stat`, "latin1");
        return stat.slice(stat.lastIndexOf(")")).startsWith(") T");
      }),
    );
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<Exit> {
    if (this.isRunning) this.signal("SIGKILL");
    return within(30_000, `${this.name} gone after SIGKILL`, this.exited);
  }

  /** SIGTERM, and waits until it is gone, which a node is after 30 s at the latest; a process that does not go is killed and reported. */
  async stop(patience = 35_000): Promise<Exit> {
    if (this.isRunning) this.signal("SIGTERM");
    try {
      return await within(patience, `${this.name} gone after SIGTERM`, this.exited);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  #remember(text: string): void {
    const lines = (this.#unfinished + text).split("\n");
    this.#unfinished = lines.pop() ?? "";
    this.#lines.push(...lines);
    this.#lines.splice(0, Math.max(0, this.#lines.length - REMEMBERED_LINES));
  }
}

registerForensics(() =>
  [...living].map((child) => ({ title: `${child.name} (${child.logPath})`, lines: child.lastLines })),
);

process.on("exit", () => {
  for (const child of living) child.signal("SIGKILL");
});

// The runner ends a file that ran out of time with SIGTERM; `exit` handlers run only when we leave by ourselves.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}
