import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineSocket, PollingSession } from "../harness/engine.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { within } from "../harness/wait.ts";
import { assertForgotten, SESSION_UNKNOWN } from "./assertions.ts";

const INTERVAL = 300;
const TIMEOUT = 2_000;

/** Timers on a busy machine are late, never early. */
const LATE = 4_000;

/** Together more than a pong may take; what is left of that beside one of them is for a busy machine. */
const HALF = TIMEOUT * 0.55;

onEveryTarget("Engine.IO heartbeat", { pingInterval: INTERVAL, pingTimeout: TIMEOUT }, (server) => {
  test("over polling: a ping each interval, for as long as there are pongs", async () => {
    const began = Date.now();
    using session = await PollingSession.open(server.engine);
    for (let round = 1; round <= 4; round += 1) {
      const { text } = await within(INTERVAL + LATE, `ping ${round}`, session.poll());
      assert.equal(text, "2");
      isNotTooEarly(began, round);
      assert.equal((await session.push("3")).text, "ok");
    }
  });

  test("over WebSocket: the same", async () => {
    const began = Date.now();
    using socket = await EngineSocket.start(server.engine);
    for (let round = 1; round <= 4; round += 1) {
      assert.equal(await socket.next(INTERVAL + LATE), "2");
      isNotTooEarly(began, round);
      socket.send("3");
    }
  });

  test("over polling: a pong that does not come ends the session and releases the hanging poll", async () => {
    const began = Date.now();
    using session = await PollingSession.open(server.engine);
    assert.equal((await session.poll()).text, "2");
    const answer = await within(TIMEOUT + LATE, "the hanging poll released", session.poll());
    assert.ok(Date.now() - began > INTERVAL + TIMEOUT / 2, "the session was ended too early");
    assert.deepEqual([answer.status, answer.text], [200, "1"]);
    await assertForgotten(session);
  });

  test("over polling: a client that never comes back is forgotten", async () => {
    using session = await PollingSession.open(server.engine);
    await sleep(INTERVAL + TIMEOUT + LATE);
    assert.equal((await session.poll()).text, SESSION_UNKNOWN);
  });

  test("over WebSocket: a pong that does not come closes the WebSocket", async () => {
    const began = Date.now();
    using socket = await EngineSocket.start(server.engine);
    assert.equal(await socket.next(), "2");
    await socket.isClosed(TIMEOUT + LATE);
    assert.ok(Date.now() - began > INTERVAL + TIMEOUT / 2, "the WebSocket was closed too early");
  });

  test("what is no pong is a sign of life, once for each ping", async () => {
    using socket = await EngineSocket.start(server.engine);
    using session = await PollingSession.open(server.engine);
    await Promise.all([
      (async () => {
        for (let round = 0; round < 2; round += 1) {
          assert.equal(await socket.next(), "2");
          await sleep(HALF);
          socket.send("4busy");
          assert.equal(await socket.next(), "4busy");
          await sleep(HALF);
          socket.send("3");
        }
      })(),
      (async () => {
        assert.equal((await session.poll()).text, "2");
        await sleep(HALF);
        assert.equal((await session.push("4busy")).text, "ok");
        assert.equal((await session.poll()).text, "4busy");
        await sleep(HALF);
        assert.equal((await session.push("3")).text, "ok");
      })(),
    ]);
  });

  test("messages are no pongs", async () => {
    using socket = await EngineSocket.start(server.engine);
    const chatter = setInterval(() => {
      if (socket.isOpen) socket.send("4not a pong");
    }, 100);
    await socket.isClosed(INTERVAL + TIMEOUT + LATE).finally(() => {
      clearInterval(chatter);
    });
  });

  test("a late pong, but in time, keeps the session", async () => {
    using socket = await EngineSocket.start(server.engine);
    for (let round = 0; round < 2; round += 1) {
      assert.equal(await socket.next(), "2");
      await sleep(HALF);
      socket.send("3");
    }
    assert.equal(await socket.next(), "2");
  });

  test("after an upgrade the heartbeat goes on over the WebSocket", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await session.upgrade();
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await socket.next(INTERVAL + LATE), "2");
      socket.send("3");
    }
    await socket.isClosed(INTERVAL + TIMEOUT + LATE);
  });
});

/** The client may have seen a ping late, so that the next one seems to come soon after it: what counts is the time since the beginning. */
function isNotTooEarly(began: number, ping: number): void {
  assert.ok(Date.now() - began > (ping - 0.5) * INTERVAL, `ping ${ping} came too early`);
}
