/*
 * How many durable messages three nodes take in a second, and how long an acknowledgement takes, with either kind of store:
 *
 *     npx tsx chat/measure.ts [ROOMS [SECONDS]]
 *
 * 20 people in each room, on the stock client by WebSocket, spread over the nodes. Each says something, waits until it is
 * acknowledged, and says the next; everybody hears everything. Clients, nodes and databases share the machine.
 */
import { randomUUID } from "node:crypto";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { cpuSeconds } from "../harness/costs.ts";
import { hitherNode } from "../harness/programs.ts";
import { startStore, type StoreKind, storeKinds } from "../harness/stores.ts";
import { type Answer, Person } from "./person.ts";

const PER_ROOM = 20;
const NODES = 3;
const [rooms = 10, seconds = 10] = process.argv.slice(2).map(Number);

interface Figures {
  said: number;
  heard: number;
  refused: number;
  /** How long each acknowledgement took, in milliseconds. */
  took: number[];
}

let clientBefore = process.cpuUsage();

for (const kind of storeKinds) console.log(`${kind}: ${await measure(kind)}`);
process.exit();

async function measure(kind: StoreKind): Promise<string> {
  const store = await startStore(kind);
  const cluster = await Cluster.start({ program: hitherNode(store.url), size: NODES });
  try {
    const people: { person: Person; room: string }[] = [];
    for (let place = 0; place < rooms; place += 1) people.push(...(await fill(cluster, place)));
    const figures: Figures = { said: 0, heard: 0, refused: 0, took: [] };
    for (const { person } of people) person.socket.on("message", () => (figures.heard += 1));
    clientCpu();
    const busy = cpuOf(cluster);
    const began = performance.now();
    const end = began + seconds * 1_000;
    await Promise.all(people.map(({ person, room }) => talk(person, room, end, figures)));
    const elapsed = (performance.now() - began) / 1_000;
    return describe(figures, people.length, elapsed, cpuOf(cluster) - busy);
  } finally {
    closeClients();
    await cluster.destroy();
    await store.stop();
  }
}

async function fill(cluster: Cluster, place: number): Promise<{ person: Person; room: string }[]> {
  const url = (seat: number) => cluster.urls[(place + seat) % NODES] ?? "";
  const host = await Person.guest(url(0), undefined, "websocket");
  const { room } = await host.create();
  const others = await Promise.all(
    Array.from({ length: PER_ROOM - 1 }, async (_, seat) => {
      const person = await Person.guest(url(seat + 1), undefined, "websocket");
      await person.join(room);
      return { person, room };
    }),
  );
  return [{ person: host, room }, ...others];
}

async function talk(person: Person, room: string, end: number, figures: Figures): Promise<void> {
  while (performance.now() < end) {
    const began = performance.now();
    const message = {
      room,
      id: randomUUID(),
      text: "Ten words are about what people say at a time, isn't it?",
    };
    const { ok } = (await person.socket.emitWithAck("message.send", message)) as Answer;
    figures.took.push(performance.now() - began);
    if (ok) figures.said += 1;
    else figures.refused += 1;
  }
}

function describe(
  { said, heard, refused, took }: Figures,
  people: number,
  elapsed: number,
  cpu: number,
): string {
  took.sort((one, other) => one - other);
  const percentile = (share: number) => (took[Math.floor((took.length - 1) * share)] ?? 0).toFixed(0);
  return [
    `${people} people in ${rooms} rooms on ${NODES} nodes, ${elapsed.toFixed(1)} s`,
    `${(said / elapsed).toFixed(0)} durable messages/s (${refused} refused)`,
    `${(heard / elapsed).toFixed(0)} heard/s`,
    `acknowledged after ${percentile(0.5)} ms (median), ${percentile(0.99)} ms (p99)`,
    `CPU of the nodes ${(cpu / elapsed).toFixed(2)} cores, of the clients ${(clientCpu() / elapsed).toFixed(2)}`,
  ].join("; ");
}

/** Seconds that this process has computed since it was asked last. */
function clientCpu(): number {
  const { user, system } = process.cpuUsage(clientBefore);
  clientBefore = process.cpuUsage();
  return (user + system) / 1e6;
}

function cpuOf(cluster: Cluster): number {
  return cluster.nodes.reduce((total, node) => total + cpuSeconds(node), 0);
}
