import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import type { ClusterNode } from "./node.ts";

/*
 * What an attack costs the nodes, as the kernel counts it.
 */

const run = promisify(execFile);

/** Bytes of memory that a node holds now. */
export function residentBytes(node: ClusterNode): number {
  return memory(node, "VmRSS");
}

/** The most bytes of memory that a node has held since `forgetPeak`. */
export function peakBytes(node: ClusterNode): number {
  return memory(node, "VmHWM");
}

export function forgetPeak(node: ClusterNode): void {
  writeFileSync(`/proc/${pid(node)}/clear_refs`, "5");
}

/** How many file descriptors a node has open. */
export function descriptors(node: ClusterNode): number {
  return readdirSync(`/proc/${pid(node)}/fd`).length;
}

/** Seconds of CPU that a node has used. */
export function cpuSeconds(node: ClusterNode): number {
  const fields =
    readFileSync(`/proc/${pid(node)}/stat`, "utf8")
      .split(") ")[1]
      ?.split(" ") ?? [];
  // User and system time, in hundredths (USER_HZ is 100 wherever Linux runs).
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bytes that the living links between these nodes have carried, in both directions. */
export async function linkBytes(nodes: readonly ClusterNode[]): Promise<number> {
  const filter = nodes
    .map(({ ports }) => `sport = :${ports.cluster} or dport = :${ports.cluster}`)
    .join(" or ");
  const { stdout } = await run("ss", ["-tinH", "state", "established", `( ${filter} )`]);
  return [...stdout.matchAll(/ bytes_sent:(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

function memory(node: ClusterNode, what: string): number {
  const status = readFileSync(`/proc/${pid(node)}/status`, "utf8");
  return Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}

function pid(node: ClusterNode): number {
  const { pid } = node.child;
  if (pid === undefined) throw new Error(`${node.name} does not run`);
  return pid;
}
