import assert from "node:assert/strict";
import { afterEach, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../faults/dice.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Postgres } from "../harness/postgres.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { Conversation } from "./conversation.ts";
import { Browser, freshName, PASSWORD, Person } from "./person.ts";

/** While the database is down a request is refused within 5 s; as much is for a busy machine. */
const ANSWERED_WITHIN_MS = 10_000;

describe("PostgreSQL fails while people chat on three nodes", () => {
  const servers: Postgres[] = [];
  let cluster: Cluster | undefined;

  afterEach(async () => {
    closeClients();
    await cluster?.destroy();
    await Promise.all(servers.splice(0).map((server) => server.kill()));
  });

  const rollDice = (context: TestContext): Dice => {
    const seed = Number(process.env["HITHER_SEED"] ?? Date.now() % 1_000_000);
    context.diagnostic(`HITHER_SEED=${seed}`);
    return new Dice(seed);
  };

  const begin = async (store: string) => {
    cluster = await Cluster.start({ program: hitherNode(store), size: 3 });
    const conversation = await Conversation.begin(cluster.urls, { againAfterMs: ANSWERED_WITHIN_MS });
    await conversation.goesOn();
    return { cluster, conversation };
  };

  /** Nobody noticed more than refusals, with when to try again. */
  const nobodyWasHarmed = ({ talkers }: Conversation) => {
    for (const { name, disconnects, unanswered, unavailable } of talkers) {
      assert.deepEqual(disconnects, [], `${name} was disconnected`);
      assert.deepEqual(unanswered, [], `${name} was not answered within ${ANSWERED_WITHIN_MS} ms`);
      for (const { message, retryAfterMs = 0 } of unavailable)
        assert.ok(message.length > 10 && retryAfterMs > 0, "a refusal does not say when to try again");
    }
  };

  test("killed and restarted: what is said meanwhile is refused in time, and all goes on", async (context) => {
    const dice = rollDice(context);
    const postgres = await Postgres.start();
    servers.push(postgres);
    const { cluster, conversation } = await begin(postgres.url);
    const known = await Person.member(cluster.urls[0] ?? "");
    for (let outage = 0; outage < 2; outage += 1) {
      await sleep(dice.between(0, 500));
      await postgres.kill();
      await sleep(dice.between(0, 1_000));
      await postgres.restart();
      await conversation.goesOn();
    }

    await postgres.kill();
    const before = conversation.talkers.map(({ unavailable }) => unavailable.length);
    await until(
      "everybody is refused",
      () => conversation.talkers.every(({ unavailable }, index) => unavailable.length > (before[index] ?? 0)),
      { within: 2 * ANSWERED_WITHIN_MS },
    );
    const asked = Date.now();
    const { http, answer } = await new Browser(cluster.urls[1] ?? "").post("/api/session/sign-in", {
      name: known.name,
      password: PASSWORD,
    });
    assert.deepEqual([http.status, answer.error?.code], [503, "unavailable"]);
    assert.ok(Number(http.headers["retry-after"]) > 0);
    assert.ok(Date.now() - asked < ANSWERED_WITHIN_MS);
    await assert.rejects(Person.open(cluster.urls[2] ?? "", known.name, known.browser), /try again/);
    await postgres.restart();
    await conversation.goesOn();
    await until("people sign in again", () => Person.signIn(cluster.urls[1] ?? "", known.name));

    await conversation.end();
    context.diagnostic(await conversation.verify(postgres.url));
    nobodyWasHarmed(conversation);
  });

  test("its streaming replica takes over: all goes on, and nothing that was acknowledged is lost", async (context) => {
    const dice = rollDice(context);
    const primary = await Postgres.start();
    servers.push(primary);
    const replica = await primary.replica();
    servers.push(replica);
    const hosts = [primary.address, replica.address].join(",");
    const { conversation } = await begin(`postgres://hither@${hosts}/chat?target_session_attrs=read-write`);
    await sleep(dice.between(0, 500));
    await primary.kill();
    await sleep(dice.between(0, 2_000));
    await replica.promote();
    await conversation.goesOn(300);
    const late = await Person.guest(cluster?.urls[2] ?? "", freshName("late"));
    assert.ok((await late.welcome).rooms.length > 0);
    await conversation.end();
    context.diagnostic(await conversation.verify(replica.url));
    nobodyWasHarmed(conversation);
  });
});
