import { randomBytes } from "node:crypto";
import { ClusterNode, freeNodePorts, type NodeFlags, type NodePorts } from "./node.ts";
import type { Program } from "./programs.ts";
import type { Deadline } from "./wait.ts";

export interface ClusterOptions {
  program: Program;
  size: number;
  flags?: NodeFlags;
  /** Makes node names, and so log files, tell this cluster from others in the same test file. */
  prefix?: string;
  /** Gives the n-th node a host of its own; all nodes share this machine's loopback unless given. */
  place?: (number: number) => Place;
}

/** A host on which a node can run, with a network of its own. */
export interface Place {
  readonly ports: NodePorts;
  /** How a program is started there. */
  inside(program: Program): Program;
}

/** Several nodes that know each other through seeds. */
export class Cluster {
  readonly nodes: ClusterNode[] = [];
  readonly #options: ClusterOptions;
  readonly #secret = randomBytes(32).toString("hex");

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Reserves ports for all nodes and starts none. Every node has all of them as seeds, itself included. */
  static async prepare(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    const seeds: string[] = [];
    while (cluster.nodes.length < options.size) await cluster.#include(seeds);
    // Known to all, now that all addresses are; a node on its own needs none.
    if (options.size > 1) seeds.push(...cluster.nodes.map((node) => node.clusterAddress));
    return cluster;
  }

  /** Starts all nodes and waits until each sees all the others up. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.prepare(options);
    for (const node of cluster.nodes) node.start();
    try {
      await cluster.settled();
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  node(number: number): ClusterNode {
    const node = this.nodes[number - 1];
    if (!node) throw new Error(`there is no node ${number} among ${this.nodes.length}`);
    return node;
  }

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  get running(): ClusterNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  /** Waits until all running nodes are healthy and see exactly each other. */
  async settled(deadline: Deadline = { within: 30_000 }): Promise<void> {
    const names = this.running.map((node) => node.name);
    await Promise.all(this.running.map((node) => node.sees(names, deadline)));
  }

  /**
   * Starts one more node, which knows these, a single running one unless given, and does not wait for it; with a program of
   * its own, if one is given.
   */
  async add(
    seeds: readonly ClusterNode[] = this.running.slice(0, 1),
    program?: Program,
  ): Promise<ClusterNode> {
    if (seeds.length === 0) throw new Error("no node is running that a new one could join");
    const node = await this.#include(seeds.map((seed) => seed.clusterAddress));
    node.start(program);
    return node;
  }

  /** Ends all nodes at once and waits until they are gone. */
  async destroy(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  async #include(seeds: readonly string[]): Promise<ClusterNode> {
    const { program, flags = {}, prefix = "", place } = this.#options;
    const number = this.nodes.length + 1;
    const host = place?.(number);
    const config = { name: `${prefix}node${number}`, seeds, flags, secret: this.#secret };
    const node = new ClusterNode(
      { ...config, program: host?.inside(program) ?? program },
      host?.ports ?? (await freeNodePorts()),
    );
    this.nodes.push(node);
    return node;
  }
}
