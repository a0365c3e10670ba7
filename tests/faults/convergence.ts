import type { Cluster } from "../harness/cluster.ts";
import type { NodeStatus } from "../harness/node.ts";
import { until } from "../harness/wait.ts";

const SHARDS = 1024;

/** What clients know of the sessions that there must be. */
export interface Expected {
  clients: number;
  webSockets: number;
  /** Sessions that clients may have left behind, which may wait for them until the recovery window is over. */
  abandoned: number;
}

/**
 * Waits until all running nodes agree: the same members, every shard owned once, every client's session alive once
 * and every WebSocket known to one node.
 */
export async function converged(cluster: Cluster, expected: () => Expected, within: number): Promise<void> {
  await cluster.settled({ within });
  await until(
    "nodes agree on shards and sessions",
    async () => {
      const statuses = await Promise.all(cluster.running.map((node) => node.status()));
      const complaint = complain(statuses, expected());
      if (complaint !== undefined) throw new Error(complaint);
      return true;
    },
    { within, every: 100 },
  );
}

/** What is not yet as it must be, if anything. */
export function complain(statuses: readonly NodeStatus[], expected: Expected): string | undefined {
  const [first] = statuses;
  if (!first) return "no node is running";
  for (const status of statuses) {
    if (status.phase !== "up") return `${status.node} is ${status.phase}`;
    if (shares(status) !== shares(first))
      return `${first.node} sees ${shares(first)}, but ${status.node} ${shares(status)}`;
    const shards = sum(status.members.map((member) => member.shards));
    if (shards !== SHARDS) return `${status.node} knows owners of ${shards} shards`;
  }
  const owned = sum(statuses.map(({ sessions }) => sessions.owned));
  const { clients, abandoned, webSockets } = expected;
  if (owned < clients || owned > clients + abandoned)
    return `${owned} sessions for ${clients} clients and ${abandoned} former ones: ${counts(statuses, "owned")}`;
  const attached = sum(statuses.map(({ sessions }) => sessions.attached));
  if (attached !== webSockets)
    return `${attached} sockets for ${webSockets} WebSockets: ${counts(statuses, "attached")}`;
  return undefined;
}

function shares({ members }: NodeStatus): string {
  return members
    .map(({ name, phase, shards }) => `${name} ${phase} ${shards}`)
    .sort()
    .join(", ");
}

function counts(statuses: readonly NodeStatus[], of: "owned" | "attached"): string {
  return statuses.map(({ node, sessions }) => `${node} ${sessions[of]}`).join(", ");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
