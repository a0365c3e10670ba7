/*
 * How many durable messages three nodes take in a second, and how long an acknowledgement takes, with either kind of store:
 *
 *     npx tsx chat/measure.ts [ROOMS [SECONDS]]
 *
 * 20 people in each room, on the stock client by WebSocket, spread over the nodes. Each says something, waits until it is
 * acknowledged, and says the next; everybody hears everything. Clients, nodes and databases share the machine. Afterwards what was
 * acknowledged and heard is compared with an export of the store: nothing may be lost, nothing may be there twice.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { cpuSeconds } from "../harness/costs.ts";
import { hitherNode } from "../harness/programs.ts";
import { startStore, type StoreKind, storeKinds } from "../harness/stores.ts";
import { until } from "../harness/wait.ts";
import { type Answer, type Membership, type Message, Person } from "./person.ts";
import { requireGapless, storedMessages } from "./stored.ts";

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

/** Somebody in a room, and what of it they were told. */
interface Seat {
  person: Person;
  room: Membership;
  /** The numbers of what was acknowledged, by the id of the message. */
  acknowledged: Map<string, number>;
  /** The ids of what was heard, by number. */
  heard: Map<number, string>;
  /** Numbers that were heard more than once. */
  repeated: number[];
}

let clientBefore = process.cpuUsage();

for (const kind of storeKinds) console.log(`${kind}: ${await measure(kind)}`);
process.exit();

async function measure(kind: StoreKind): Promise<string> {
  const store = await startStore(kind, "power cut");
  const cluster = await Cluster.start({ program: hitherNode(store.url), size: NODES });
  try {
    const seats: Seat[] = [];
    for (let place = 0; place < rooms; place += 1) seats.push(...(await fill(cluster, place)));
    const figures: Figures = { said: 0, heard: 0, refused: 0, took: [] };
    for (const seat of seats) listen(seat, figures);
    clientCpu();
    const busy = cpuOf(cluster);
    const began = performance.now();
    const end = began + seconds * 1_000;
    await Promise.all(seats.map((seat) => talk(seat, end, figures)));
    const elapsed = (performance.now() - began) / 1_000;
    const described = describe(figures, seats.length, elapsed, cpuOf(cluster) - busy);
    return `${described}; ${await verify(seats, store.url)}`;
  } finally {
    closeClients();
    await cluster.destroy();
    await store.stop();
  }
}

async function fill(cluster: Cluster, place: number): Promise<Seat[]> {
  const url = (seat: number) => cluster.urls[(place + seat) % NODES] ?? "";
  const host = await Person.guest(url(0), undefined, "websocket");
  const room = await host.create();
  const seat = (person: Person): Seat => ({
    person,
    room,
    acknowledged: new Map(),
    heard: new Map(),
    repeated: [],
  });
  const others = await Promise.all(
    Array.from({ length: PER_ROOM - 1 }, async (_, place) => {
      const person = await Person.guest(url(place + 1), undefined, "websocket");
      await person.join(room.room);
      return seat(person);
    }),
  );
  return [seat(host), ...others];
}

function listen({ person, room, heard, repeated }: Seat, figures: Figures): void {
  person.socket.on("message", ({ room: where, number, id }: Message) => {
    if (where !== room.room) return;
    figures.heard += 1;
    if (heard.has(number)) repeated.push(number);
    heard.set(number, id);
  });
}

async function talk({ person, room, acknowledged }: Seat, end: number, figures: Figures): Promise<void> {
  while (performance.now() < end) {
    const began = performance.now();
    const id = randomUUID();
    const text = "Ten words are about what people say at a time, isn't it?";
    const answer = (await person.socket.emitWithAck("message.send", { room: room.room, id, text })) as Answer;
    figures.took.push(performance.now() - began);
    if (answer.ok) {
      figures.said += 1;
      acknowledged.set(id, answer.number ?? 0);
    } else {
      figures.refused += 1;
    }
  }
}

/** What was acknowledged is stored under that number, and everybody in the room has heard it once. */
async function verify(seats: readonly Seat[], store: string): Promise<string> {
  const stored = await storedMessages(store);
  let total = 0;
  for (const { person, room, acknowledged, heard, repeated } of seats) {
    const messages = stored.get(room.name) ?? [];
    const numbers = requireGapless(messages);
    for (const [id, number] of acknowledged)
      assert.equal(numbers.get(id), number, `a message of ${person.name} that was acknowledged is not there`);
    total += acknowledged.size;
    await until(
      `${person.name} has heard all ${messages.length} messages`,
      () => heard.size === messages.length,
    );
    for (const { number, id } of messages) assert.equal(heard.get(number), id);
    assert.deepEqual(repeated, [], `${person.name} has heard something twice`);
  }
  return `all ${total} acknowledged messages are stored and were heard by everybody once`;
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
