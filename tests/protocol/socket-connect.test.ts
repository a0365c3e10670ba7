import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EngineSocket, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { connectNamespace, connectRaw } from "../harness/socketio.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";

interface Accepted {
  frame: string;
  prefix: string;
  auth: string;
}

const accepted: Record<string, Accepted> = {
  "the main namespace": { frame: "40", prefix: "40", auth: '42["auth",{}]' },
  "the main namespace by its name": { frame: "40/,", prefix: "40", auth: '42["auth",{}]' },
  "the main namespace with a payload": {
    frame: '40{"token":"123"}',
    prefix: "40",
    auth: '42["auth",{"token":"123"}]',
  },
  "a custom namespace": { frame: "40/custom,", prefix: "40/custom,", auth: '42/custom,["auth",{}]' },
  "a custom namespace without the comma": {
    frame: "40/custom",
    prefix: "40/custom,",
    auth: '42/custom,["auth",{}]',
  },
  "a custom namespace with a payload": {
    frame: '40/custom,{"token":"€ 日本語 🦀","deep":[{"a":null}]}',
    prefix: "40/custom,",
    auth: '42/custom,["auth",{"token":"€ 日本語 🦀","deep":[{"a":null}]}]',
  },
};

onEveryTarget("Socket.IO CONNECT", {}, (server) => {
  describe("is accepted for", () => {
    for (const [title, { frame, prefix, auth }] of Object.entries(accepted)) {
      test(`${title}, over WebSocket`, async () => {
        using socket = await EngineSocket.start(server.socketio);
        socket.send(frame);
        const [answer, event] = await socket.take(2);
        isAcceptance(String(answer), prefix);
        assert.equal(event, auth);
      });

      test(`${title}, over polling`, async () => {
        using session = await PollingSession.open(server.socketio);
        await session.push(frame);
        const [answer, event] = await session.take(2);
        isAcceptance(String(answer), prefix);
        assert.equal(event, auth);
      });
    }
  });

  test("gives each connection an id that is neither the session's nor another's", async () => {
    using socket = await EngineSocket.start(server.socketio);
    const ids = [await connectNamespace(socket, "/"), await connectNamespace(socket, "/custom")];
    assert.equal(new Set([socket.sid, ...ids]).size, 3);
  });

  for (const namespace of ["/random", "/custom/more", "/customs", "/%2F", "/ünknown"]) {
    test(`is refused for ${namespace}, and the session goes on`, async () => {
      using socket = await EngineSocket.start(server.socketio);
      socket.send(`40${namespace},`);
      assert.equal(await socket.next(), `44${namespace},{"message":"Invalid namespace"}`);
      await connectNamespace(socket, "/");
    });
  }

  test("several at once are all answered", async () => {
    using session = await PollingSession.open(server.socketio);
    await session.push(["40", "40/nowhere,", "40/custom,"].join(SEPARATOR));
    const packets = await session.take(5);
    const answers = packets.filter((packet) => !packet.startsWith("42"));
    assert.deepEqual(answers.map((packet) => packet.replace(/\{"sid":.*/, "")).sort(), [
      "40",
      "40/custom,",
      '44/nowhere,{"message":"Invalid namespace"}',
    ]);
  });

  test("an event sent right behind it is not lost", async () => {
    using session = await PollingSession.open(server.socketio);
    await session.push("40");
    await session.push('42["message","first words"]');
    const packets = await session.take(3);
    assert.equal(packets[2], '42["message-back","first words"]');
  });

  describe("closes the connection when", () => {
    const wrong: Record<string, string> = {
      "its payload is an array": "40[]",
      "its payload is a string": '40"token"',
      "its payload is no JSON": "40{token}",
      "its payload is cut off": '40{"token":',
      "it comes first, but is a CONNECT_ERROR": '44{"message":"no"}',
      "it does not come first: an event": '42["message"]',
      "it does not come first: an ack": "430[]",
      "it does not come first: a disconnect": "41",
      "its namespace is another than the event's": '42/custom,["message"]',
    };
    for (const [title, frame] of Object.entries(wrong)) {
      test(title, async () => {
        using socket = await EngineSocket.start(server.socketio);
        socket.send(frame);
        await socket.isClosed();
      });
    }

    test("an event goes to a namespace that was refused", async () => {
      using socket = await connectRaw(server.socketio);
      socket.send("40/random,");
      assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
      socket.send('42/random,["message"]');
      await socket.isClosed();
    });
  });

  test(
    "a namespace name without end is refused or closes the connection",
    unlikeReference("it has no bound"),
    async () => {
      using socket = await EngineSocket.start(server.socketio);
      const name = `/${"n".repeat(100_000)}`;
      socket.send(`40${name},`);
      const end = await Promise.race([
        socket.closed.then(() => "closed"),
        socket.next().catch(() => "closed"),
      ]);
      assert.ok(
        end === "closed" || end === `44${name},{"message":"Invalid namespace"}`,
        String(end).slice(0, 100),
      );
    },
  );
});

/** For what is to come before, on a busy machine, too. */
const CONNECT_TIMEOUT = 1_500;

onEveryTarget("Socket.IO connect timeout", { connectTimeout: CONNECT_TIMEOUT }, (server) => {
  test("a WebSocket that never sends CONNECT is closed", async () => {
    const since = Date.now();
    using socket = await EngineSocket.start(server.socketio);
    await socket.isClosed();
    assert.ok(Date.now() - since > CONNECT_TIMEOUT / 2, "closed too early");
  });

  test("a polling session that never sends CONNECT is closed, and its hanging poll released", async () => {
    using session = await PollingSession.open(server.socketio);
    const answer = await session.poll();
    assert.deepEqual([answer.status, answer.text], [200, "1"]);
    assert.equal((await session.poll()).status, 400);
  });

  test("a refused CONNECT does not count", async () => {
    using socket = await EngineSocket.start(server.socketio);
    socket.send("40/random,");
    assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
    await socket.isClosed();
  });

  test("an accepted one does", async () => {
    using socket = await connectRaw(server.socketio);
    assert.ok(await socket.isSilent(CONNECT_TIMEOUT + 1_000));
    socket.send('42["message","still here"]');
    assert.equal(await socket.next(), '42["message-back","still here"]');
  });

  test("plain Engine.IO knows no such timeout", async () => {
    using socket = await EngineSocket.start(server.engine);
    assert.ok(await socket.isSilent(CONNECT_TIMEOUT + 1_000));
    socket.send("4still here");
    assert.equal(await socket.next(), "4still here");
  });
});

function isAcceptance(packet: string, prefix: string): void {
  assert.ok(packet.startsWith(`${prefix}{`), packet);
  const payload = JSON.parse(packet.slice(prefix.length)) as Record<string, unknown>;
  assert.deepEqual(Object.keys(payload), ["sid"]);
  assert.equal(typeof payload["sid"], "string");
}
