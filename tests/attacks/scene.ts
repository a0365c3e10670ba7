import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../harness/cluster.ts";
import { Companion } from "../harness/companion.ts";
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
import { until } from "../harness/wait.ts";

/** What an attack has cost. */
export interface Costs {
  /** Bytes that went over links while it lasted. */
  linkBytes: number;
  /** By how much the memory of the node that grew most grew. */
  memory: number;
  /** Seconds of CPU of all nodes. */
  cpu: number;
  /** How long clients waited that have nothing to do with it, in milliseconds: the 99th percentile. */
  p99: number;
  /** The longest that one of them waited. */
  slowest: number;
  /** How long clients waited meanwhile of nodes on the same machine that are not attacked: the 99th percentile. */
  calm: number;
}

/**
 * Percentiles are taken of so many answers each, and the median of them counts: so a moment in which the machine did something
 * else decides nothing.
 */
const WINDOW = 200;

/** Below this the scheduler decides: several processes may be run before one's turn comes, for some milliseconds each. */
const UNNOTICED_MS = 40;

/** Nobody may wait so long, not even once. */
const INTOLERABLE_MS = 2_000;

/**
 * Three nodes, and a client of each that has nothing to do with what happens. Beside them three others that are not attacked, with
 * the same clients: what they wait is what everybody waits for the machine, on which the attacker and others are at work.
 */
export class Scene {
  readonly cluster: Cluster;
  readonly #calm: Cluster;
  readonly #bystanders: Bystanders;
  /** How long the nodes' logs were when the attack began. */
  readonly #logged = new Map<ClusterNode, number>();

  private constructor(cluster: Cluster, calm: Cluster, bystanders: Bystanders) {
    this.cluster = cluster;
    this.#calm = calm;
    this.#bystanders = bystanders;
  }

  static async prepare(flags: NodeFlags = {}, program = testbed()): Promise<Scene> {
    const clusters: Cluster[] = [];
    const start = async (settings: Parameters<typeof Cluster.start>[0]) => {
      const cluster = await Cluster.start(settings);
      clusters.push(cluster);
      return cluster;
    };
    try {
      const cluster = await start({ program, size: 3, flags });
      const calm = await start({ program: testbed(), size: 3, flags, prefix: "calm-" });
      return new Scene(cluster, calm, await Bystanders.start(cluster.urls, calm.urls));
    } catch (error) {
      await Promise.all(clusters.map((cluster) => cluster.destroy()));
      throw error;
    }
  }

  get nodes(): readonly ClusterNode[] {
    return this.cluster.nodes;
  }

  /** Does what an attacker does, and says what it cost. */
  async attack(title: string, attack: () => Promise<void>): Promise<Costs> {
    for (const node of this.nodes) this.#logged.set(node, readFileSync(node.child.logPath, "utf8").length);
    // On a machine of its own the attacker would take no CPU from anybody.
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    await this.#bystanders.report();
    this.nodes.forEach(forgetPeak);
    const memory = this.nodes.map(residentBytes);
    const carried = await linkBytes(this.nodes);
    const busy = this.nodes.map(cpuSeconds);
    await attack();
    const { attacked, calm } = await this.#bystanders.taken();
    const costs = {
      linkBytes: (await linkBytes(this.nodes)) - carried,
      memory: Math.max(...this.nodes.map((node, at) => peakBytes(node) - (memory[at] ?? 0))),
      cpu: this.nodes.reduce((sum, node, at) => sum + cpuSeconds(node) - (busy[at] ?? 0), 0),
      p99: p99(attacked),
      slowest: Math.max(0, ...attacked),
      calm: p99(calm),
    };
    console.log(
      `${title}: ${kib(costs.linkBytes)} over links, ${kib(costs.memory)} of memory, ${costs.cpu.toFixed(2)} s of CPU, ` +
        `p99 of others ${costs.p99.toFixed(1)} ms (calm ${costs.calm.toFixed(1)} ms), slowest ${costs.slowest.toFixed(0)} ms`,
    );
    return costs;
  }

  /** That nobody else was harmed: links are up, and others are served as before. */
  async isUnharmed(costs: Costs): Promise<void> {
    const { p99, calm } = costs;
    const bound = Math.max(2 * calm, UNNOTICED_MS);
    assert.ok(p99 <= bound, `others waited for ${p99.toFixed(1)} ms (bound ${bound.toFixed(1)})`);
    await this.isConnected(costs);
  }

  /** That links are up, others are connected, and none of them waited for long. */
  async isConnected({ slowest }: Costs): Promise<void> {
    for (const node of this.nodes) {
      const log = readFileSync(node.child.logPath, "utf8").slice(this.#logged.get(node) ?? 0);
      assert.doesNotMatch(log, /link down/, `${node.name} lost a link`);
    }
    assert.ok(slowest <= INTOLERABLE_MS, `one of them waited for ${slowest.toFixed(0)} ms`);
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
    try {
      await this.#bystanders.end();
    } finally {
      await Promise.all([this.cluster.destroy(), this.#calm.destroy()]);
    }
  }
}

interface Report {
  /** Of those of the nodes that are attacked, and of the others. */
  taken: [number[], number[]];
  disconnects: number;
}

class Bystanders {
  readonly #program: Companion;

  private constructor(program: Companion) {
    this.#program = program;
  }

  static async start(attacked: readonly string[], calm: readonly string[]): Promise<Bystanders> {
    const lists = [attacked, calm].map((urls) => urls.join(","));
    const bystanders = new Bystanders(new Companion(new URL("./bystander.ts", import.meta.url), lists));
    // They answer once they are connected.
    await bystanders.report();
    return bystanders;
  }

  report(): Promise<Report> {
    return this.#program.ask<Report>();
  }

  /** How long they have waited since the last report, a window at least. */
  async taken(): Promise<{ attacked: number[]; calm: number[] }> {
    const { taken } = await this.report();
    const [attacked, calm] = taken;
    while (Math.min(attacked.length, calm.length) < WINDOW) {
      await sleep(50);
      const more = (await this.report()).taken;
      attacked.push(...more[0]);
      calm.push(...more[1]);
    }
    return { attacked, calm };
  }

  end(): Promise<void> {
    return this.#program.end();
  }
}

/** The median of the 99th percentiles of all windows. */
function p99(taken: readonly number[]): number {
  const windows = Math.floor(taken.length / WINDOW);
  const each = Array.from({ length: windows }, (_, at) =>
    quantile(taken.slice((at * taken.length) / windows, ((at + 1) * taken.length) / windows), 0.99),
  );
  return quantile(each, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}
