import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../harness/cluster.ts";
import {
  descriptors,
  forgetPeak,
  linkBytes,
  peakBytes,
  residentBytes,
  cpuSeconds,
} from "../harness/costs.ts";
import type { ClusterNode, NodeFlags } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { until, within } from "../harness/wait.ts";

/** What an attack has cost. */
export interface Costs {
  /** Bytes that went over links while it lasted. */
  linkBytes: number;
  /** By how much the memory of the node that grew most grew. */
  memory: number;
  /** Seconds of CPU of all nodes. */
  cpu: number;
  /** The slowest answer but for one in a hundred that a client got which has nothing to do with it, in milliseconds. */
  p99: number;
  /** The same before the attack. */
  calm: number;
}

/** Below this nobody notices, and how long the machine lets one wait decides. */
const UNNOTICED_MS = 50;

/** How long the bystander is watched before the attack. */
const CALM_MS = 1_500;

const bystanderProgram = path.join(path.dirname(fileURLToPath(import.meta.url)), "bystander.ts");

/** Three nodes, and a client of each that has nothing to do with what happens. */
export class Scene {
  readonly cluster: Cluster;
  readonly #bystanders: Bystanders;
  /** How long the nodes' logs were when the attack began. */
  readonly #logged = new Map<ClusterNode, number>();

  private constructor(cluster: Cluster, bystanders: Bystanders) {
    this.cluster = cluster;
    this.#bystanders = bystanders;
  }

  static async prepare(flags: NodeFlags = {}, program = testbed()): Promise<Scene> {
    const cluster = await Cluster.start({ program, size: 3, flags });
    try {
      return new Scene(cluster, await Bystanders.start(cluster.urls));
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
  }

  get nodes(): readonly ClusterNode[] {
    return this.cluster.nodes;
  }

  /** Does what an attacker does, and says what it cost. */
  async attack(title: string, attack: () => Promise<void>): Promise<Costs> {
    for (const node of this.nodes) this.#logged.set(node, readFileSync(node.child.logPath, "utf8").length);
    await this.#bystanders.report();
    await sleep(CALM_MS);
    const calm = p99((await this.#bystanders.report()).taken);
    this.nodes.forEach(forgetPeak);
    const memory = this.nodes.map(residentBytes);
    const carried = await linkBytes(this.nodes);
    const busy = this.nodes.map(cpuSeconds);
    // On a machine of its own the attacker would take no CPU from anybody; here it comes after the others.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    await attack();
    const costs = {
      linkBytes: (await linkBytes(this.nodes)) - carried,
      memory: Math.max(...this.nodes.map((node, at) => peakBytes(node) - (memory[at] ?? 0))),
      cpu: this.nodes.reduce((sum, node, at) => sum + cpuSeconds(node) - (busy[at] ?? 0), 0),
      p99: p99((await this.#bystanders.report()).taken),
      calm,
    };
    console.log(
      `${title}: ${kib(costs.linkBytes)} over links, ${kib(costs.memory)} of memory, ${costs.cpu.toFixed(2)} s of CPU, ` +
        `p99 of others ${costs.p99.toFixed(1)} ms (calm ${costs.calm.toFixed(1)} ms)`,
    );
    return costs;
  }

  /** That nobody else was harmed: links are up, others are served as before, and nothing is left of the attack. */
  async isUnharmed({ p99, calm }: Costs): Promise<void> {
    for (const node of this.nodes) {
      const log = readFileSync(node.child.logPath, "utf8").slice(this.#logged.get(node) ?? 0);
      assert.doesNotMatch(log, /link down/, `${node.name} lost a link`);
    }
    const bound = Math.max(2 * calm, UNNOTICED_MS);
    assert.ok(p99 <= bound, `others waited for ${p99.toFixed(1)} ms (bound ${bound.toFixed(1)})`);
    assert.equal((await this.#bystanders.report()).disconnects, 0, "others lost their connections");
  }

  /** Waits until no node has more files open than this. */
  async letsGo(before: readonly number[], patience: number): Promise<void> {
    await until(
      `descriptors back to ${before.join(", ")}`,
      () => {
        const now = this.nodes.map(descriptors);
        if (now.some((count, at) => count > (before[at] ?? 0))) throw new Error(now.join(", "));
        return true;
      },
      { within: patience },
    );
  }

  async end(): Promise<void> {
    this.#bystanders.end();
    await this.cluster.destroy();
  }
}

interface Report {
  taken: number[];
  disconnects: number;
}

class Bystanders {
  readonly #process;
  readonly #lines;

  private constructor(urls: readonly string[]) {
    this.#process = spawn(process.execPath, ["--import", "tsx", bystanderProgram, ...urls], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  static async start(urls: readonly string[]): Promise<Bystanders> {
    const bystanders = new Bystanders(urls);
    // They answer once they are connected.
    await bystanders.report();
    return bystanders;
  }

  async report(): Promise<Report> {
    this.#process.stdin.write("\n");
    const line = await within(20_000, "the report of the bystanders", this.#lines.next());
    return JSON.parse(String(line.value)) as Report;
  }

  end(): void {
    this.#process.stdin.end();
  }
}

function p99(taken: number[]): number {
  const sorted = taken.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}
