import { execFile } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Child, type Owner } from "./child.ts";
import { freePort } from "./ports.ts";
import { until } from "./wait.ts";

const run = promisify(execFile);

/** Whether what is committed is forced to the disk. What a server has written survives its kill without that. */
export type Durability = "power cut" | "kill";

/** The name by which a replica is known to its primary. */
const REPLICA = "replica";

let servers = 0;

/** A PostgreSQL server as Debian installs it, on a port and with a data folder of its own; trusts whoever asks. */
export class Postgres {
  readonly #name: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #durability: Durability;
  #server: Child | undefined;

  private constructor(port: number, durability: Durability) {
    servers += 1;
    this.#durability = durability;
    this.#name = `postgres${servers}`;
    this.#port = port;
    this.#folder = mkdtempSync(path.join(tmpdir(), "hither-pg-"));
    if (owner) chownSync(this.#folder, owner.uid, owner.gid);
    process.once("exit", () => {
      this.#signalAll("SIGKILL");
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /** A server with nothing in it but the database `chat`. */
  static async start(durability: Durability = "kill"): Promise<Postgres> {
    const server = new Postgres(await freePort(), durability);
    await asOwner("initdb", [
      ...[
        "-D",
        server.#data,
        "-U",
        "hither",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale",
        "C.UTF-8",
        "--no-sync",
      ],
    ]);
    await server.restart();
    await server.sql("CREATE DATABASE chat");
    return server;
  }

  /** A streaming replica, without whose confirmation nothing is committed from now on. */
  async replica(): Promise<Postgres> {
    const replica = new Postgres(await freePort(), this.#durability);
    const source = `host=127.0.0.1 port=${this.#port} user=hither application_name=${REPLICA}`;
    await asOwner("pg_basebackup", [
      ...["-D", replica.#data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", source],
    ]);
    await replica.restart();
    await this.sql(`ALTER SYSTEM SET synchronous_standby_names = '${REPLICA}'`);
    await this.sql("SELECT pg_reload_conf()");
    await until("the replica is synchronous", async () => {
      const states = await this.sql("SELECT sync_state FROM pg_stat_replication");
      return states === "sync";
    });
    return replica;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The database `chat`, as a node is told of it. */
  get url(): string {
    return `postgres://hither@${this.address}/chat`;
  }

  /** Starts it again after {@link kill}, and waits until it answers. */
  async restart(): Promise<void> {
    const settings = {
      unix_socket_directories: "",
      max_connections: "200",
      fsync: this.#durability === "power cut" ? "on" : "off",
    };
    this.#server = new Child(this.#name, {
      program: program("postgres"),
      args: [
        ...["-D", this.#data, "-p", String(this.#port), "-h", "127.0.0.1"],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      owner,
      folder: "/",
    });
    await until(`${this.#name} answers`, async () => (await this.sql("SELECT 1")) === "1", {
      within: 30_000,
    });
  }

  /** Runs a statement in the database `postgres`. */
  async sql(statement: string): Promise<string> {
    const { stdout } = await run(program("psql"), [
      ...["-h", "127.0.0.1", "-p", String(this.#port), "-U", "hither", "-d", "postgres"],
      ...["-X", "-A", "-t", "-c", statement],
    ]);
    return stdout.trim();
  }

  /** Kills all its processes at once, as a power cut does but for what the kernel holds. */
  async kill(): Promise<void> {
    this.#signalAll("SIGKILL");
    await this.#server?.kill();
  }

  /** A replica takes writes from now on. */
  async promote(): Promise<void> {
    await this.sql("SELECT pg_promote()");
  }

  get #data(): string {
    return path.join(this.#folder, "data");
  }

  #signalAll(signal: NodeJS.Signals): void {
    if (!this.#server?.isRunning) return;
    const { pid } = this.#server;
    if (pid === undefined) return;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    this.#server.signal(signal);
    for (const child of children.split(" ").filter(Boolean)) signalIfThere(Number(child), signal);
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has ended by itself, since its server did.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Who runs the server, which refuses to be run by root. */
const owner: Owner | undefined = process.getuid?.() === 0 ? accountOf("postgres") : undefined;

function accountOf(user: string): Owner | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${user}:`));
  if (line === undefined) return undefined;
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** In the PATH, or where Debian has it: the newest version. */
function program(name: string): string {
  const versions = "/usr/lib/postgresql";
  const newest = existsSync(versions) ? Math.max(...readdirSync(versions).map(Number)) : 0;
  const debian = path.join(versions, String(newest), "bin", name);
  return existsSync(debian) ? debian : name;
}

async function asOwner(name: string, args: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0 && !owner)
    throw new Error("there is no user postgres: apt-get install postgresql");
  await run(program(name), args, { cwd: "/", ...owner });
}
