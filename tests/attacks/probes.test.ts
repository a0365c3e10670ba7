import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PollingSession } from "../harness/engine.ts";
import { Scene } from "./scene.ts";

/* A WebSocket that probes again and again, and reads nothing: only its first probe is answered, so nothing piles up. */

/** A probe has ten seconds, and a client is read no faster than 10,000 packets a second after a burst of 20,000: these
 *  are all taken before the probe is given up. Each cost some 850 bytes when each was answered. */
const SENDS_MS = 3_000;
const PROBES = 45_000;
const ALLOWED = 16 << 20;

describe("a WebSocket that repeats its probe and does not read", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare({ placement: "spread" });
  });
  after(() => scene.end());

  test("gets one answer, and costs no memory", async () => {
    using session = await PollingSession.open(`${scene.cluster.node(1).url}/engine.io/`);
    const costs = await scene.attack("probes without end", async () => {
      // Not before: the ten seconds begin here.
      using socket = await session.webSocket();
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      socket.pause();
      const end = performance.now() + SENDS_MS;
      for (let sent = 0; sent < PROBES && performance.now() < end; sent += 1) {
        socket.send("2probe");
        if (sent % 1_000 === 0) await sleep(1);
      }
      socket.resume();
      assert.ok(await socket.isSilent(1_000), "no further answer");
      socket.send("5");
      socket.send("4still there");
      assert.equal(await socket.next(), "4still there");
    });
    assert.ok(costs.memory < ALLOWED, `${costs.memory} bytes`);
    await scene.isUnharmed(costs);
  });
});
