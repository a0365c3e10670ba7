import assert from "node:assert/strict";
import { test } from "node:test";
import { PollingSession, SEPARATOR } from "../harness/engine.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { hangs, staysPending, until, within } from "../harness/wait.ts";
import type { RawWebSocket } from "../harness/websocket.ts";
import {
  assertAlive,
  assertAliveOn,
  assertForgotten,
  assertRefusedOrClosed,
  BAD_REQUEST,
} from "./assertions.ts";

/** A poll during an upgrade must come back at once, and not when that is given up, nor with the next ping 25 seconds later. */
const AT_ONCE_MS = 8_000;

/** The reference server gives a client ten seconds to complete an upgrade. */
const UPGRADE_TIMEOUT_MS = 10_000;

const INTERVAL = 3_000;

onEveryTarget("Engine.IO upgrade", {}, (server) => {
  test("probe, upgrade, message", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await session.upgrade();
    await assertAliveOn(socket);
  });

  test("the probe releases the hanging poll with a noop", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    assert.ok(await hangs(poll));
    using socket = await session.webSocket();
    socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    const answer = await within(AT_ONCE_MS, "the hanging poll released", poll);
    assert.deepEqual([answer.status, answer.text], [200, "6"]);
    socket.send("5");
    await assertAliveOn(socket);
  });

  test("every poll made while the probe is under way is released with a noop", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await probing(session);
    for (let round = 0; round < 5; round += 1) {
      const answer = await within(AT_ONCE_MS, `poll ${round} released`, session.poll());
      assert.deepEqual([answer.status, answer.text], [200, "6"]);
    }
    socket.send("5");
    await assertAliveOn(socket);
  });

  test("the upgrade packet releases a poll that came just before it", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await probing(session);
    const poll = session.poll();
    socket.send("5");
    const answer = await within(AT_ONCE_MS, "the poll released", poll);
    // Which of the two the server saw first is for the network to say.
    if (answer.status === 200) assert.equal(answer.text, "6");
    else assert.deepEqual([answer.status, answer.text], [400, BAD_REQUEST]);
    await assertAliveOn(socket);
  });

  test("a push while the probe is under way is answered, and nothing is lost, doubled or reordered", async () => {
    using session = await PollingSession.open(server.engine);
    await session.push("4before");
    using socket = await probing(session);
    await session.push("4during 1");
    await session.push(`4during 2${SEPARATOR}bAQI=`);
    socket.send("5");
    socket.send("4after");
    const wanted = ["4before", "4during 1", "4during 2", Buffer.from([1, 2]), "4after"];
    assert.deepEqual(await socket.take(wanted.length), wanted);
  });

  test("messages in flight on both transports keep their order, and no noop gets into the WebSocket", async () => {
    using session = await PollingSession.open(server.engine);
    const received: string[] = [];
    // Like the stock client: it polls until the probe is answered, then lets the last poll come back.
    const stop = new AbortController();
    const polls = (async () => {
      while (!stop.signal.aborted) {
        const answer = await session.poll();
        received.push(...answer.text.split(SEPARATOR).filter((packet) => packet !== "6"));
      }
    })();
    const sent: string[] = [];
    const push = async () => {
      const packets = Array.from({ length: 10 }, (_, index) => `4${sent.length + index}`);
      sent.push(...packets);
      assert.equal((await session.push(packets.join(SEPARATOR))).text, "ok");
    };
    for (let round = 0; round < 10; round += 1) await push();
    using socket = await session.webSocket();
    await push();
    socket.send("2probe");
    await push();
    assert.equal(await socket.next(), "3probe");
    stop.abort();
    await push();
    await within(AT_ONCE_MS, "the last poll released", polls);
    await push();
    socket.send("5");
    for (let round = 0; round < 50; round += 1) {
      sent.push(`4${sent.length}`);
      socket.send(sent.at(-1) ?? "");
    }
    while (received.length < sent.length) received.push(String(await socket.next()));
    assert.deepEqual(received, sent);
    assert.ok(await socket.isSilent(200), "something more than the messages came over the WebSocket");
  });

  test("polls and pushes after the upgrade are refused without harm", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await session.upgrade();
    await assertAliveOn(socket);
    for (const answer of [await session.poll(), await session.push("4no"), await session.poll()]) {
      assert.deepEqual([answer.status, answer.text], [400, BAD_REQUEST]);
    }
    await assertAliveOn(socket);
  });

  test("a second WebSocket after the upgrade is refused or closed without harm", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await session.upgrade();
    await assertAliveOn(socket);
    await assertRefusedOrClosed(session.webSocket());
    await assertAliveOn(socket);
  });

  test("a second WebSocket during the probe is refused or closed without harm", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await probing(session);
    await assertRefusedOrClosed(session.webSocket());
    socket.send("5");
    await assertAliveOn(socket);
  });

  test("a probe that is given up leaves the session polling, and a later one succeeds", async () => {
    using session = await PollingSession.open(server.engine);
    const abandoned = await probing(session);
    await abandoned.close();
    await assertAlive(session);
    const dropped = await probing(session);
    dropped.drop();
    await assertAlive(session);
    // The server may need a moment to notice that the connection is gone; then polls hang again.
    const { poll } = await until("a poll hangs, as no probe is under way", async () => {
      const poll = session.poll();
      return (await hangs(poll)) && { poll };
    });
    await session.push("4go");
    assert.equal((await poll).text, "4go");
    using socket = await session.upgrade();
    await assertAliveOn(socket);
  });

  for (const frame of ["2", "2wrong", "4message", "1", "garbage"]) {
    test(`a probing WebSocket that says ${frame} instead of the probe is closed, and the session goes on polling`, async () => {
      using session = await PollingSession.open(server.engine);
      using socket = await session.webSocket();
      socket.send(frame);
      await socket.isClosed();
      await assertAlive(session);
    });
  }

  test("a probing WebSocket that sends a message instead of the upgrade packet is closed, and the message is not taken", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await probing(session);
    socket.send("4too early");
    await socket.isClosed();
    await assertAlive(session);
  });

  test("closing the session while a probe is under way closes the probing WebSocket, too", async () => {
    using session = await PollingSession.open(server.engine);
    using socket = await probing(session);
    assert.equal((await session.push("1")).status, 200);
    await socket.isClosed();
    await assertForgotten(session);
  });

  test("after the upgrade a closed WebSocket ends the session", async () => {
    using session = await PollingSession.open(server.engine);
    const socket = await session.upgrade();
    await assertAliveOn(socket);
    await socket.close();
    await assertForgotten(session);
  });

  test("an upgrade whose session has just ended is refused or closed", async () => {
    using session = await PollingSession.open(server.engine);
    await session.push("1");
    await assertRefusedOrClosed(session.webSocket());
  });

  test("a WebSocket that never probes is closed after ten seconds, and the session goes on polling", async () => {
    using session = await PollingSession.open(server.engine);
    const since = Date.now();
    using silent = await session.webSocket();
    await silent.isClosed(UPGRADE_TIMEOUT_MS + 5_000);
    assert.ok(Date.now() - since > UPGRADE_TIMEOUT_MS - 100, "closed too early");
    await assertAlive(session);
  });
});

onEveryTarget(
  "Engine.IO upgrade and the heartbeat",
  { pingInterval: INTERVAL, pingTimeout: 2_000 },
  (server) => {
    test("the upgrade does not put off the next ping", async () => {
      using session = await PollingSession.open(server.engine);
      const opened = Date.now();
      await assertAlive(session);
      assert.ok(await staysPending(INTERVAL / 2, session.poll()), "nothing was to be sent yet");
      using socket = await session.upgrade();
      assert.equal(await socket.next(), "2");
      const waited = Date.now() - opened;
      // Put off, it would come an interval after the upgrade.
      assert.ok(waited < 1.45 * INTERVAL, `the first ping came after ${waited} ms`);
      socket.send("3");
      assert.equal(await socket.next(), "2");
    });

    test("a session whose probe is never completed still has its heartbeat", async () => {
      using session = await PollingSession.open(server.engine);
      using socket = await probing(session);
      // No pong is ever sent: the session must end by itself, the probe must not keep it.
      await socket.isClosed(UPGRADE_TIMEOUT_MS - 500);
      await assertForgotten(session);
    });
  },
);

async function probing(session: PollingSession): Promise<RawWebSocket> {
  const socket = await session.webSocket();
  socket.send("2probe");
  assert.equal(await socket.next(), "3probe");
  return socket;
}
