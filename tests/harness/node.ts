import { Child } from "./child.ts";
import { freePort } from "./ports.ts";
import type { Program } from "./programs.ts";
import { send } from "./http.ts";
import { until, type Deadline } from "./wait.ts";

/** What can be set on a node; times in milliseconds, sizes in bytes. Those from heartbeats to `maxPayload` are the testbed's alone. */
export interface NodeFlags {
  placement?: "near" | "spread";
  /** A port shared by all nodes with SO_REUSEPORT. */
  front?: number;
  pingInterval?: number;
  pingTimeout?: number;
  connectTimeout?: number;
  maxPayload?: number;
  corsOrigin?: string;
  corsCredentials?: true;
  noJsonp?: true;
  noClientBundle?: true;
  /** For how long clients may come back to where they were, such as `2m`; not at all unless given. */
  recovery?: string;
  noReplication?: true;
  /** For how long a node that leaves fails its health check before it does more; not at all unless given, for nobody
   *  checks its health but in tests of leaving. */
  leaveGrace?: string;
  /** In place of the secret in the environment. */
  secretFile?: string;
  trustProxy?: string;
  maxConnections?: number;
  maxConnectionsPerAddress?: number;
  maxOpensPerAddress?: number;
  maxPacketsPerSession?: number;
  maxBytesPerSession?: number;
  maxRoomsPerSocket?: number;
  maxNamespacesPerSession?: number;
  /** Shows status and the cluster page to clients, too. */
  publicStatus?: true;
  /** Not healthy while it has seeds and sees no other node. */
  unreadyAlone?: true;
  /** A name by which operators may ask for it. */
  adminHost?: string;
}

/** The part of `GET /status` that the tests rely on. */
export interface NodeStatus {
  node: string;
  phase: string;
  members: { name: string; phase: string; shards: number }[];
  sessions: {
    owned: number;
    attached: number;
    revived: number;
    recovered: number;
    moved_in: number;
    overflows: number;
    throttled: number;
  };
  clients: {
    connections: number;
    refused_by_node: number;
    refused_by_address: number;
    refused_origins: number;
  };
}

/** Where a node listens. */
export interface NodePorts {
  /** The IP address of its host; loopback unless given. */
  host?: string;
  http: number;
  /** For operators. */
  admin: number;
  /** TCP for links, UDP for gossip. */
  cluster: number;
}

export async function freeNodePorts(): Promise<NodePorts> {
  return { http: await freePort(), admin: await freePort(), cluster: await freePort() };
}

export function loopback(port: number): string {
  return `127.0.0.1:${port}`;
}

/** What a node is started with; it stays the same over its restarts, but for its flags and its program. */
export interface NodeConfig {
  name: string;
  program: Program;
  seeds: readonly string[];
  flags: NodeFlags;
  /** The cluster's secret; without one a node is on its own or trusts loopback. */
  secret?: string | undefined;
}

/** One server process, on ports of its own, that can be killed and started again under the same name. */
export class ClusterNode {
  readonly config: NodeConfig;
  readonly ports: NodePorts;
  #child: Child | undefined;

  constructor(config: NodeConfig, ports: NodePorts) {
    this.config = config;
    this.ports = ports;
  }

  get name(): string {
    return this.config.name;
  }

  get url(): string {
    return `http://${this.#address(this.ports.http)}`;
  }

  /** Where operators reach it. */
  get adminUrl(): string {
    return `http://${this.#address(this.ports.admin)}`;
  }

  get clusterAddress(): string {
    return this.#address(this.ports.cluster);
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? false;
  }

  get child(): Child {
    if (!this.#child) throw new Error(`${this.name} was never started`);
    return this.#child;
  }

  /** Starts it; with another program from now on, if one is given. */
  start(program = this.config.program): void {
    this.config.program = program;
    const { name, seeds, flags, secret } = this.config;
    this.#child = new Child(name, {
      program: program.command,
      args: [
        ...program.leadingArgs,
        ...["--name", name, "--http", this.#address(this.ports.http), "--cluster", this.clusterAddress],
        ...["--admin", this.#address(this.ports.admin)],
        ...seeds.flatMap((seed) => ["--seed", seed]),
        ...flagArguments(flags),
      ],
      env: secret === undefined ? {} : { HITHER_SECRET: secret },
    });
  }

  #address(port: number): string {
    return `${this.ports.host ?? "127.0.0.1"}:${port}`;
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }

  async isHealthy(): Promise<boolean> {
    return (await send(`${this.url}/health`)).status === 200;
  }

  async status(): Promise<NodeStatus> {
    const answer = await send(`${this.adminUrl}/status`);
    if (answer.status !== 200)
      throw new Error(`GET /status of ${this.name}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as NodeStatus;
  }

  /** Names of the members that this node sees up, sorted. */
  async membersUp(): Promise<string[]> {
    const { members } = await this.status();
    return members
      .filter((member) => member.phase === "up")
      .map((member) => member.name)
      .sort();
  }

  /** Waits until the node is healthy and sees exactly these members up. */
  async sees(names: readonly string[], deadline: Deadline = { within: 30_000 }): Promise<void> {
    const wanted = [...names].sort().join(" ");
    let seen = "nothing";
    await until(
      `${this.name} healthy and seeing [${wanted}] up`,
      async () => {
        if (!this.isRunning) throw new Error(`${this.name} has exited`);
        if (!(await this.isHealthy())) throw new Error("not healthy");
        seen = (await this.membersUp()).join(" ");
        if (seen !== wanted) throw new Error(`[${seen}]`);
        return true;
      },
      deadline,
    );
  }
}

function flagArguments(flags: NodeFlags): string[] {
  const values: Record<string, string | number | undefined> = {
    "--front": flags.front === undefined ? undefined : loopback(flags.front),
    "--placement": flags.placement,
    "--ping-interval": flags.pingInterval,
    "--ping-timeout": flags.pingTimeout,
    "--connect-timeout": flags.connectTimeout,
    "--max-payload": flags.maxPayload,
    "--cors-origin": flags.corsOrigin,
    "--recovery": flags.recovery,
    "--leave-grace": flags.leaveGrace ?? "0s",
    "--secret-file": flags.secretFile,
    "--trust-proxy": flags.trustProxy,
    "--max-connections": flags.maxConnections,
    "--max-connections-per-address": flags.maxConnectionsPerAddress,
    "--max-opens-per-address": flags.maxOpensPerAddress,
    "--max-packets-per-session": flags.maxPacketsPerSession,
    "--max-bytes-per-session": flags.maxBytesPerSession,
    "--max-rooms-per-socket": flags.maxRoomsPerSocket,
    "--max-namespaces-per-session": flags.maxNamespacesPerSession,
    "--admin-host": flags.adminHost,
  };
  const args = Object.entries(values).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, String(value)],
  );
  if (flags.corsCredentials) args.push("--cors-credentials");
  if (flags.noJsonp) args.push("--no-jsonp");
  if (flags.noClientBundle) args.push("--no-client-bundle");
  if (flags.noReplication) args.push("--no-replication");
  if (flags.unreadyAlone) args.push("--unready-alone");
  if (flags.publicStatus) args.push("--public-status");
  return args;
}
