import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { artifactPath, repositoryRoot } from "../harness/artifacts.ts";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { freePorts } from "../harness/ports.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { History } from "../history/history.ts";
import { type Message, Person } from "./person.ts";

const PEOPLE = 30;
const AT_A_TABLE = 10;
const NODES = 3;
/** Between two messages of one person, in milliseconds. */
const PAUSE = 150;

const run = promisify(execFile);

describe("a cluster that is started with scripts/cluster.sh", () => {
  let clusterSh: (...words: string[]) => Promise<string>;
  let front: string;

  after(async () => {
    closeClients();
    await clusterSh("stop");
  });

  test("is restarted node by node while 30 people chat, who lose nothing and stay who they are", async (context) => {
    // The front port and the nodes' HTTP ports are one after the other, and so are those of operators and of the cluster.
    const http = await freePorts(1 + NODES);
    const admin = await freePorts(1 + NODES);
    const cluster = await freePorts(1 + NODES);
    const folder = artifactPath("run");
    // An earlier run's guests have the names of these.
    rmSync(folder, { recursive: true, force: true });
    const env = {
      ...process.env,
      HITHER_BINARY: hitherNode().command,
      HITHER_RUN_DIR: folder,
      HITHER_FRONT_PORT: String(http),
      HITHER_HTTP_BASE: String(http),
      HITHER_ADMIN_BASE: String(admin),
      HITHER_CLUSTER_BASE: String(cluster),
    };
    clusterSh = async (...words) => {
      const script = path.join(repositoryRoot, "scripts", "cluster.sh");
      const { stdout } = await run(script, words, { env });
      return stdout;
    };
    front = `http://127.0.0.1:${http}`;
    await clusterSh("start", String(NODES));

    const history = new History();
    const people = await Promise.all(
      Array.from({ length: PEOPLE }, (_, index) => Talker.arrive(front, index, history)),
    );
    const talk = new AbortController();
    const talks = people.map((person) => person.talk(talk.signal));
    const said = await clusterSh("rolling-restart");
    for (let node = 1; node <= NODES; node += 1)
      assert.match(said, new RegExp(`^node${node} runs again`, "m"));
    talk.abort();
    await Promise.all(talks);

    assert.deepEqual(
      people.filter((person) => person.reborn).map(({ name }) => name),
      [],
      "nobody comes back as somebody new",
    );
    for (const person of people) await person.say();
    await until("all that was acknowledged is heard", () => history.outstanding === 0, {
      within: 10_000,
      every: 200,
    }).catch(() => undefined);
    history.assertClean();
    const moved = people.filter(({ comebacks }) => comebacks > 0).length;
    assert.ok(moved > 0, "somebody had a WebSocket at a node that was restarted");
    const { said: spoken, acknowledged, heard } = history.totals;
    context.diagnostic(
      `${moved} of ${PEOPLE} people came back, ${acknowledged} of ${spoken} messages acknowledged, ${heard} heard`,
    );
  });
});

/** A person who talks on and on, and relies on the server to remember which rooms he is in. */
class Talker {
  readonly name: string;
  /** How often the connection was lost and is there again. */
  comebacks = 0;
  /** Whether the server took him for somebody new. */
  reborn = false;
  readonly #person: Person;
  /** The name of the room, and its id. */
  readonly #table: string;
  readonly #room: string;
  readonly #history: History;

  private constructor(person: Person, table: string, room: string, history: History) {
    this.name = person.name;
    this.#person = person;
    this.#table = table;
    this.#room = room;
    this.#history = history;
    person.socket.on("connect", () => {
      this.comebacks += 1;
      this.reborn ||= !person.socket.recovered;
    });
    person.socket.on("message", ({ room, author, text }: Message) => {
      // What comes between the server's joining and its answer is a present.
      if (room === this.#room && history.isIn(table, this.name))
        history.hear(table, this.name, author.name, Number(text));
    });
  }

  static async arrive(url: string, index: number, history: History): Promise<Talker> {
    const kinds = Object.keys(transports) as Transport[];
    const person = await Person.guest(url, `guest${index + 1}`, kinds[index % kinds.length]);
    const table = `table ${index % (PEOPLE / AT_A_TABLE)}`;
    const { room } =
      index < PEOPLE / AT_A_TABLE
        ? await person.create(table)
        : await until(`${table} is there`, async () => {
            const { membership } = await person.request("room.join", { name: table });
            return membership;
          });
    const talker = new Talker(person, table, room, history);
    history.enter(table, person.name);
    return talker;
  }

  async talk(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      // A message whose answer is lost with the connection may have been heard or not.
      await this.say().catch(() => undefined);
      await sleep(PAUSE);
    }
  }

  /** Rejects when the message is refused, or nobody answers. */
  async say(): Promise<void> {
    const number = this.#history.say(this.#table, this.name);
    await this.#person.say(this.#room, String(number));
    this.#history.acknowledge(this.#table, this.name, number);
  }
}
