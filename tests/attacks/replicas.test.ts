import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PollingSession, SEPARATOR } from "../harness/engine.ts";
import { Scene } from "./scene.ts";

/*
 * A client that sends many small packets at once. What nodes tell each other for it is bounded by what went over its own
 * connection, no link is cut, and others hardly notice.
 */

/** As in the review, where 32 KB of them cut a link and 128 KB cost 12.9 s of CPU. */
const PACKETS = 16_000;

/** What nodes may send for each byte of the client's, and for a cluster that runs meanwhile. */
const BYTES_PER_BYTE = 3;
const CONSTANT = 512 << 10;
const CPU_SECONDS = 3;

/** So many times in a row, which is more than a client may send at once: the rest is taken at the rate that it has. */
const ROUNDS = 3;
/**
 * How often a client may be held back for what is beyond its burst: 28,000 packets, of which at least 500 are taken at a time.
 * It need not be at all where the machine is slower than its rate.
 */
const WAITS = 60;

describe("many small packets in one request", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare({ placement: "spread", recovery: "2m" });
  });
  after(() => scene.end());

  for (const [what, packet] of [
    ["events that nobody handles", '42["x"]'],
    ["events that want an ack", '421["echo","x"]'],
    ["events that are answered with events", '42["message","x"]'],
    ["joins of rooms", '42["join","x"]'],
  ] as const) {
    test(what, async () => {
      using session = await PollingSession.open(`${scene.cluster.node(1).url}/socket.io/`);
      await session.push("40");
      await session.take(2);
      const body = Array.from({ length: PACKETS }, () => packet).join(SEPARATOR);
      let carried = body.length;
      const costs = await scene.attack(what, async () => {
        const pushed = session.push(body);
        // One that is larger than what its handlers have room for is taken as they go on; the answers are fetched meanwhile.
        const asked = pushed.then((answer) => {
          assert.equal(answer.status, 200);
          return session.push('42999["echo"]');
        });
        for (let packets: string[] = []; !packets.includes("43999[]");) {
          packets = await session.take(1);
          carried += packets.reduce((sum, one) => sum + one.length + 1, 0);
        }
        assert.equal((await asked).status, 200);
      });
      console.log(`${what}: ${body.length} bytes sent, ${carried} with what was received`);
      assert.ok(
        costs.linkBytes <= BYTES_PER_BYTE * carried + CONSTANT,
        `${costs.linkBytes} bytes between nodes for ${carried}`,
      );
      assert.ok(costs.cpu <= CPU_SECONDS, `${costs.cpu} s of CPU`);
      await scene.isUnharmed(costs);
    });
  }

  test("and again and again, what is more than a burst is taken in good parts", async () => {
    const throttled = async () => {
      const statuses = await Promise.all(scene.nodes.map((node) => node.status()));
      return statuses.reduce((sum, { sessions }) => sum + sessions.throttled, 0);
    };
    using session = await PollingSession.open(`${scene.cluster.node(1).url}/socket.io/`);
    await session.push("40");
    await session.take(2);
    const body = Array.from({ length: PACKETS }, () => '421["echo","x"]').join(SEPARATOR);
    let carried = ROUNDS * body.length;
    const pushAll = async () => {
      for (let round = 0; round < ROUNDS; round += 1) assert.equal((await session.push(body)).status, 200);
      return session.push('42999["echo"]');
    };
    const before = await throttled();
    const costs = await scene.attack("pushes in a row", async () => {
      const asked = pushAll();
      for (let packets: string[] = []; !packets.includes("43999[]");) {
        packets = await session.take(1);
        carried += packets.reduce((sum, one) => sum + one.length + 1, 0);
      }
      assert.equal((await asked).status, 200);
    });
    const waits = (await throttled()) - before;
    console.log(`pushes in a row: ${carried} bytes sent and received, held back ${waits} times`);
    assert.ok(waits <= WAITS, `the client had to wait ${waits} times`);
    const most = BYTES_PER_BYTE * carried + ROUNDS * CONSTANT;
    assert.ok(costs.linkBytes <= most, `${costs.linkBytes} bytes between nodes for ${carried}`);
    assert.ok(costs.cpu <= ROUNDS * CPU_SECONDS, `${costs.cpu} s of CPU`);
    await scene.isConnected(costs);
  });
});
