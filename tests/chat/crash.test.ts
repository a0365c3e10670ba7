import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { type Answer, type Message, Person } from "./person.ts";

const PEOPLE = 12;
const CRASHES = 4;
const PAUSE_MS = 40;

/** How long an answer is waited for before the message is sent again. */
const AGAIN_AFTER_MS = 1_500;

describe("the nodes of the chat are killed one after the other", () => {
  let cluster: Cluster;

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
  });

  test("and every message that was acknowledged is stored once, under its number, and known to everybody", async (context) => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
    const urls = cluster.urls;
    const host = await Person.member(urls[0] ?? "");
    const { room } = await host.create();
    const talkers = await Promise.all(
      Array.from({ length: PEOPLE }, (_, index) => Talker.arrive(urls, index, room)),
    );
    const stop = new AbortController();
    const talks = talkers.map((talker) => talker.talk(stop.signal));
    for (let crash = 0; crash < CRASHES; crash += 1) {
      const node = cluster.nodes[crash % cluster.nodes.length];
      assert.ok(node);
      await sleep(700);
      await node.kill();
      await sleep(500);
      node.start();
      await node.sees(cluster.nodes.map(({ name }) => name));
    }
    stop.abort();
    await Promise.all(talks);

    const reader = await Person.open(urls[1] ?? "", host.name, host.browser);
    const stored = await reader.history(room);
    assert.deepEqual(
      stored.map(({ number }) => number),
      Array.from({ length: stored.length }, (_, index) => index + 1),
      "numbers have gaps",
    );
    const byId = new Map(stored.map((message) => [message.id, message]));
    assert.equal(byId.size, stored.length, "a message is stored twice");
    let acknowledged = 0;
    for (const talker of talkers) {
      for (const [id, number] of talker.acknowledged) {
        acknowledged += 1;
        assert.equal(byId.get(id)?.number, number, "an acknowledged message is not what was said");
      }
      assert.deepEqual(talker.refused, []);
    }
    for (const talker of talkers) {
      await until(`${talker.name} knows all`, async () => {
        await talker.catchUp();
        assert.deepEqual(
          [...talker.known.keys()].sort((one, other) => one - other),
          stored.map(({ number }) => number),
        );
        return true;
      });
      for (const { number, id } of stored) assert.equal(talker.known.get(number), id);
    }
    const { length: again } = talkers.flatMap(({ repeated }) => repeated);
    context.diagnostic(`${stored.length} messages stored, ${acknowledged} acknowledged, ${again} sent again`);
    assert.ok(acknowledged > PEOPLE * CRASHES * 5);
  });
});

/** Somebody who sends each message until it is acknowledged, and fills gaps by number, as a page does. */
class Talker {
  readonly name: string;
  readonly acknowledged = new Map<string, number>();
  readonly known = new Map<number, string>();
  readonly refused: unknown[] = [];
  readonly repeated: string[] = [];
  readonly #person: Person;
  readonly #room: string;

  private constructor(person: Person, room: string, urls: readonly string[]) {
    this.name = person.name;
    this.#person = person;
    this.#room = room;
    let door = 0;
    person.socket.io.on("reconnect_attempt", () => {
      // The manager has no public way to go elsewhere; it reads this at each attempt.
      door += 1;
      Object.assign(person.socket.io, { uri: `${urls[door % urls.length] ?? ""}/chat` });
    });
    person.socket.on("message", ({ number, id }: Message) => this.known.set(number, id));
  }

  static async arrive(urls: readonly string[], index: number, room: string): Promise<Talker> {
    const person = await Person.guest(
      urls[index % urls.length] ?? "",
      undefined,
      index % 3 ? "websocket" : "polling",
    );
    const talker = new Talker(person, room, urls);
    await person.join(room);
    return talker;
  }

  async talk(stop: AbortSignal): Promise<void> {
    for (let count = 1; !stop.aborted; count += 1) {
      await this.#send({ room: this.#room, id: randomUUID(), text: `${this.name}: ${count}` });
      await sleep(PAUSE_MS);
    }
  }

  async #send(message: { room: string; id: string; text: string }): Promise<void> {
    for (;;) {
      try {
        const answer = (await this.#person.socket
          .timeout(AGAIN_AFTER_MS)
          .emitWithAck("message.send", message)) as Answer;
        if (answer.ok) this.acknowledged.set(message.id, answer.number ?? 0);
        else if (answer.error?.code !== "unavailable") this.refused.push(answer.error);
        if (answer.ok || answer.error?.code !== "unavailable") return;
      } catch {
        this.repeated.push(message.id);
      }
    }
  }

  async catchUp(): Promise<void> {
    for (const { number, id } of await this.#person.history(this.#room)) this.known.set(number, id);
  }
}
