import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, closeClients, connected } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { PollingSession } from "../harness/engine.ts";
import { testbed } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";

/*
 * A session that holds about as much as one may: what it has been told and does not fetch, and half of a packet with many
 * attachments. It moves like any other when its node leaves, and loses nothing of it. One that would hold more is closed, and
 * that one alone.
 */

const MESSAGE = "x".repeat(100_000);
/** 7 MB of the 8 MiB that may wait for a client. */
const TOLD = 70;
/** 4.5 MB more, of 12 MiB in all; each is a body of its own. */
const ATTACHMENTS = 50;
const ATTACHED = Buffer.alloc(90_000, "y");

/** A node leaves in two seconds or so; the time-out of leaving is 30 s. */
const LEAVES_WITHIN_MS = 10_000;

describe("a session as large as one may be", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({
      program: testbed(),
      size: 3,
      flags: { placement: "spread" },
      prefix: "large-",
    });
  });
  after(async () => {
    closeClients();
    await cluster.destroy();
  });

  /** A session at node 3, in a room, that has sent all attachments of an event but the last. */
  async function halfway(room: string): Promise<PollingSession> {
    const session = await PollingSession.open(`${cluster.node(3).url}/socket.io/`);
    await session.push("40");
    await session.take(2);
    await session.push(`420["join",${JSON.stringify(room)}]`);
    await session.take(1);
    const placeholders = Array.from({ length: ATTACHMENTS }, (_, num) => ({ _placeholder: true, num }));
    await session.push(`45${ATTACHMENTS}-1${JSON.stringify(["echo", ...placeholders])}`);
    for (let sent = 1; sent < ATTACHMENTS; sent += 1) await attach(session);
    return session;
  }

  async function attach(session: PollingSession): Promise<number> {
    return (await session.push(`b${ATTACHED.toString("base64")}`)).status;
  }

  async function tell(room: string, count: number): Promise<void> {
    const speaker = await connected(cluster.node(3).url, "websocket");
    for (let said = 0; said < count; said += 1) await ask(speaker, "publish", room, MESSAGE);
    speaker.disconnect();
  }

  test("beyond that is closed, and nobody else", async () => {
    using session = await halfway("too much");
    using other = await PollingSession.open(`${cluster.node(3).url}/socket.io/`);
    await other.push("40");
    await other.take(2);
    // With what is attached this is more than 12 MiB, and less than may wait for a client.
    await tell("too much", 82);
    await until("the session is closed", async () => (await session.push("3")).status === 400);
    const asked = other.push('421["echo","still there"]');
    assert.deepEqual(await other.take(1), ['431["still there"]']);
    assert.equal((await asked).status, 200);
  });

  test("moves in bounded time, with all it has", async () => {
    using session = await halfway("much");
    await tell("much", TOLD);
    // It is somewhere, and in the end at the only node that stays.
    for (const node of cluster.nodes.slice(0, 2)) {
      const began = performance.now();
      await node.stop();
      const took = performance.now() - began;
      console.log(`large session: ${node.name} left within ${Math.round(took)} ms`);
      assert.ok(took < LEAVES_WITHIN_MS, `${node.name} took ${took} ms to leave`);
      await cluster.settled();
    }
    const told = await session.take(TOLD);
    assert.equal(told.filter((packet) => packet.includes(MESSAGE)).length, TOLD);
    assert.equal(await attach(session), 200);
    const packets = await session.take(1 + ATTACHMENTS);
    const echoed = packets.filter((packet) => packet === `b${ATTACHED.toString("base64")}`);
    assert.equal(echoed.length, ATTACHMENTS);
  });
});
