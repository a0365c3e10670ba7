import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { closeClients, connected, type Client, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import type { NodeFlags } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";

/*
 * What replication and forwarding cost: CPU time of all three nodes per operation, for RESULTS.md. All settings are measured
 * in turn, ROUNDS times over: `node --import tsx faults/cost.ts`. It says nothing on a machine that has other things to do.
 */

const ROUNDS = 3;
const CLIENTS = 30;
const AT_A_TABLE = 10;
const MEASURED_FOR = 5_000;
const PAYLOAD = "x".repeat(64);
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const settings: Record<string, NodeFlags> = {
  "near, no replication": { placement: "near", noReplication: true },
  "near, replication": { placement: "near" },
  "spread, no replication": { placement: "spread", noReplication: true },
  "spread, replication": { placement: "spread" },
};

type Work = (client: Client, room: string) => Promise<unknown>;

const works: Record<string, { transport: Transport; work: Work }> = {
  "echo by WebSocket": { transport: "websocket", work: (client) => client.emitWithAck("echo", PAYLOAD) },
  "echo by polling": { transport: "polling", work: (client) => client.emitWithAck("echo", PAYLOAD) },
  "publish to 10 by WebSocket": {
    transport: "websocket",
    work: (client, room) => client.emitWithAck("publish", room, PAYLOAD),
  },
};

interface Cost {
  /** Microseconds of CPU, of all nodes together, for one operation. */
  cpu: number;
  /** Microseconds from asking to the answer, on average. */
  latency: number;
}

const costs = new Map<string, Cost[]>();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [what, { transport, work }] of Object.entries(works)) {
    for (const [how, flags] of Object.entries(settings)) {
      const cost = await measure(flags, transport, work);
      const key = `${what}; ${how}`;
      costs.set(key, [...(costs.get(key) ?? []), cost]);
    }
  }
}
for (const [key, rounds] of costs) {
  const cpu = describe(rounds.map((cost) => cost.cpu));
  const latency = describe(rounds.map((cost) => cost.latency));
  console.log(`${key}: ${cpu} µs of CPU, answered after ${latency} µs`);
}
process.exit(0);

/** The median, and all. */
function describe(values: number[]): string {
  const sorted = values.toSorted((one, other) => one - other).map((value) => value.toFixed(0));
  return `${sorted[Math.floor(sorted.length / 2)] ?? "?"} (${sorted.join(", ")})`;
}

/** What it costs when each client has one operation under way. */
async function measure(flags: NodeFlags, transport: Transport, work: Work): Promise<Cost> {
  const cluster = await Cluster.start({
    program: testbed(),
    size: 3,
    prefix: "cost-",
    flags: { ...flags, recovery: "2m" },
  });
  try {
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, (_, number) =>
        connected(cluster.urls[number % cluster.urls.length] ?? "", transport),
      ),
    );
    const room = (number: number) => `table${Math.floor(number / AT_A_TABLE)}`;
    await Promise.all(clients.map((client, number) => client.emitWithAck("join", room(number))));
    let done = 0;
    let stop = false;
    const working = clients.map(async (client, number) => {
      while (!stop) {
        await work(client, room(number));
        done += 1;
      }
    });
    await sleep(1_000);
    const [before, began] = [cpuSeconds(cluster), done];
    await sleep(MEASURED_FOR);
    const [after, ended] = [cpuSeconds(cluster), done];
    stop = true;
    await Promise.all(working);
    const operations = ended - began;
    return {
      cpu: ((after - before) * 1e6) / operations,
      latency: (MEASURED_FOR * 1_000 * CLIENTS) / operations,
    };
  } finally {
    closeClients();
    await cluster.destroy();
  }
}

function cpuSeconds(cluster: Cluster): number {
  const ticks = cluster.nodes.map(({ child }) => {
    const stat = readFileSync(`/proc/${child.pid ?? 0}/stat`, "utf8");
    // The name, which may hold spaces, ends with the last parenthesis; user and system time are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}
