import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineSocket, PollingSession } from "../harness/engine.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { within } from "../harness/wait.ts";
import { assertForgotten, SESSION_UNKNOWN } from "./assertions.ts";

const INTERVAL = 300;
const TIMEOUT = 1_000;

/** Timers on a busy machine are late, never early. */
const LATE = 1_500;

onEveryTarget("Engine.IO heartbeat", { pingInterval: INTERVAL, pingTimeout: TIMEOUT }, (server) => {
  test("over polling: a ping each interval, for as long as there are pongs", async () => {
    using session = await PollingSession.open(server.engine);
    for (let round = 0; round < 4; round += 1) {
      const since = Date.now();
      const { text } = await within(INTERVAL + LATE, `ping ${round}`, session.poll());
      assert.equal(text, "2");
      assert.ok(Date.now() - since > INTERVAL / 2, "the ping came too early");
      assert.equal((await session.push("3")).text, "ok");
    }
  });

  test("over WebSocket: the same", async () => {
    using socket = await EngineSocket.start(server.engine);
    for (let round = 0; round < 4; round += 1) {
      const since = Date.now();
      assert.equal(await socket.next(INTERVAL + LATE), "2");
      assert.ok(Date.now() - since > INTERVAL / 2, "the ping came too early");
      socket.send("3");
    }
  });

  test("over polling: a pong that does not come ends the session and releases the hanging poll", async () => {
    using session = await PollingSession.open(server.engine);
    assert.equal((await session.poll()).text, "2");
    const since = Date.now();
    const answer = await within(TIMEOUT + LATE, "the hanging poll released", session.poll());
    assert.ok(Date.now() - since > TIMEOUT / 2, "the session was ended too early");
    assert.deepEqual([answer.status, answer.text], [200, "1"]);
    await assertForgotten(session);
  });

  test("over polling: a client that never comes back is forgotten", async () => {
    using session = await PollingSession.open(server.engine);
    await sleep(INTERVAL + TIMEOUT + LATE);
    assert.equal((await session.poll()).text, SESSION_UNKNOWN);
  });

  test("over WebSocket: a pong that does not come closes the WebSocket", async () => {
    using socket = await EngineSocket.start(server.engine);
    assert.equal(await socket.next(), "2");
    const since = Date.now();
    await socket.isClosed(TIMEOUT + LATE);
    assert.ok(Date.now() - since > TIMEOUT / 2, "the WebSocket was closed too early");
  });

  test("what is no pong is a sign of life, once for each ping", async () => {
    using socket = await EngineSocket.start(server.engine);
    using session = await PollingSession.open(server.engine);
    await Promise.all([
      (async () => {
        for (let round = 0; round < 2; round += 1) {
          assert.equal(await socket.next(), "2");
          await sleep(TIMEOUT * 0.7);
          socket.send("4busy");
          assert.equal(await socket.next(), "4busy");
          await sleep(TIMEOUT * 0.7);
          socket.send("3");
        }
      })(),
      (async () => {
        assert.equal((await session.poll()).text, "2");
        await sleep(TIMEOUT * 0.7);
        assert.equal((await session.push("4busy")).text, "ok");
        assert.equal((await session.poll()).text, "4busy");
        await sleep(TIMEOUT * 0.7);
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
      await sleep(TIMEOUT * 0.6);
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
