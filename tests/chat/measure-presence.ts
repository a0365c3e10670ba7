/*
 * What it costs three nodes when many people join a room where many are:
 *
 *     npx tsx chat/measure-presence.ts [MEMBERS [JOINING]]
 *
 * 10,000 members and 1,000 who join at once unless given otherwise, each by a WebSocket of its own, spread over the nodes. Told are
 * the bytes between the nodes for each join, of everything that a join causes there, and how long after the last join was asked
 * for every node has everybody in its list. A computer that has nothing else to do should measure it.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { cpuSeconds, linkBytes } from "../harness/costs.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { Person } from "./person.ts";

const NODES = 3;
/** Who come at a time, so that nobody waits for a handshake longer than a client does. */
const AT_ONCE = 50;
const [members = 10_000, joining = 1_000] = process.argv.slice(2).map(Number);

const cluster = await Cluster.start({
  // People come in a crowd, from one address.
  program: hitherNode(undefined, ["--max-connections-per-address", "0", "--max-opens-per-address", "0"]),
  size: NODES,
});
const url = (place: number) => cluster.urls[place % NODES] ?? "";
const watchers = await Promise.all(cluster.urls.map((node) => Person.guest(node, undefined, "websocket")));
const [host] = watchers;
assert.ok(host);
const { room } = await host.create();
await Promise.all(watchers.slice(1).map((watcher) => watcher.join(room)));

const crowd = await gather(members - watchers.length);
await inParts(crowd, (person) => person.join(room));
await everybodySees(members);
const newcomers = await gather(joining);

const quiet = await rate(5_000);
const [bytesBefore, cpuBefore] = [await linkBytes(cluster.nodes), cpu()];
const began = performance.now();
await Promise.all(newcomers.map((person) => person.join(room)));
const answered = performance.now();
await everybodySees(members + joining);
const seen = performance.now();
const idle = (quiet * (seen - began)) / 1_000;
const bytes = (await linkBytes(cluster.nodes)) - bytesBefore - idle;
console.log(
  [
    `${joining} joined a room of ${members} on ${NODES} nodes`,
    `all answered after ${seconds(answered - began)} s, and in every node's list after ${seconds(seen - began)} s`,
    `${(bytes / joining).toFixed(0)} bytes between nodes for each join (besides ${(quiet / 1024).toFixed(1)} KiB/s at rest)`,
    `CPU of the nodes ${(cpu() - cpuBefore).toFixed(2)} s`,
  ].join("; "),
);
closeClients();
await cluster.destroy();
process.exit();

/** So many more people, connected, and not in the room yet. */
async function gather(count: number): Promise<Person[]> {
  return inParts(
    Array.from({ length: count }, (_, place) => place),
    (place) => Person.guest(url(place), undefined, "websocket"),
  );
}

async function inParts<T, R>(all: readonly T[], each: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let from = 0; from < all.length; from += AT_ONCE) {
    done.push(...(await Promise.all(all.slice(from, from + AT_ONCE).map(each))));
  }
  return done;
}

async function everybodySees(count: number): Promise<void> {
  await until(
    `every node has ${count} people in its list`,
    async () => {
      const counts = await Promise.all(
        watchers.map(async (watcher) => (await watcher.must("presence.list", { room })).count),
      );
      return counts.every((seen) => seen === count);
    },
    { within: 120_000, every: 100 },
  );
}

/** Bytes between the nodes in a second in which nothing is asked of them. */
async function rate(milliseconds: number): Promise<number> {
  const from = await linkBytes(cluster.nodes);
  await sleep(milliseconds);
  return ((await linkBytes(cluster.nodes)) - from) / (milliseconds / 1_000);
}

function cpu(): number {
  return cluster.nodes.reduce((total, node) => total + cpuSeconds(node), 0);
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(2);
}
