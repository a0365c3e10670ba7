import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { engineUrl, openWebSocketSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { until } from "../harness/wait.ts";
import { assertAliveOn, refusedWith, SESSION_UNKNOWN } from "./assertions.ts";
import { RawWebSocket } from "../harness/websocket.ts";

const malformed: Record<string, string> = {
  "an unknown packet type": "abc",
  "an unknown packet type, a digit": "9",
  "an empty frame": "",
  "a ping, which only servers send": "2",
  "a probe, when there is nothing to upgrade": "2probe",
};

onEveryTarget("Engine.IO over WebSocket", {}, (server) => {
  test("text comes back as text, one packet a frame", async () => {
    const { socket } = await openWebSocketSession(server.engine);
    using _ = socket;
    const messages = ["4hello", "4", "4€ — 日本語 — 🦀", "4a\x1e4b", `4${"x".repeat(100_000)}`];
    for (const message of messages) socket.send(message);
    assert.deepEqual(await socket.take(messages.length), messages);
  });

  test("binary comes back as binary, without a type in front", async () => {
    const { socket } = await openWebSocketSession(server.engine);
    using _ = socket;
    const messages = [
      Buffer.from([1, 2, 3, 4]),
      Buffer.from([0x34]),
      Buffer.alloc(0),
      Buffer.alloc(70_000, 7),
    ];
    for (const message of messages) socket.send(message);
    assert.deepEqual(await socket.take(messages.length), messages);
  });

  test("text and binary keep their order, 2,000 in a row", async () => {
    const { socket } = await openWebSocketSession(server.engine);
    using _ = socket;
    const messages = Array.from({ length: 2_000 }, (_, number) =>
      number % 3 === 0 ? Buffer.from(String(number)) : `4${number}`,
    );
    for (const message of messages) socket.send(message);
    assert.deepEqual(await socket.take(messages.length), messages);
  });

  test("a message in fragments is one message", async () => {
    const { socket } = await openWebSocketSession(server.engine);
    using _ = socket;
    socket.sendFragments(["4hel", "lo ", "wor", "ld"]);
    assert.equal(await socket.next(), "4hello world");
  });

  test("WebSocket pings are answered and harm nothing", async () => {
    const { socket } = await openWebSocketSession(server.engine);
    using _ = socket;
    await socket.pingPong();
    await assertAliveOn(socket);
  });

  describe("is closed by the server upon", () => {
    for (const [title, frame] of Object.entries(malformed)) {
      test(title, async () => {
        const { socket, handshake } = await openWebSocketSession(server.engine);
        using _ = socket;
        socket.send(frame);
        await socket.isClosed();
        await isForgotten(server.engine, handshake.sid);
      });
    }
  });

  const secondSocket = unlikeReference("it takes the second for a probe, unless the first was one");
  test(
    "a second WebSocket for the session is refused or closed, without harm to the first",
    secondSocket,
    async () => {
      const { socket, handshake } = await openWebSocketSession(server.engine);
      using _ = socket;
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await refusedOrClosed(engineUrl(server.engine, "websocket", handshake.sid));
      }
      await assertAliveOn(socket);
    },
  );

  test("closing the WebSocket ends the session", async () => {
    const { socket, handshake } = await openWebSocketSession(server.engine);
    await socket.close();
    await isForgotten(server.engine, handshake.sid);
  });

  test("dropping the connection ends the session", async () => {
    const { socket, handshake } = await openWebSocketSession(server.engine);
    socket.drop();
    await isForgotten(server.engine, handshake.sid);
  });

  const closePacket = unlikeReference(
    "it ignores a close packet on a WebSocket, and the ping timeout ends the session",
  );
  test("the close packet ends the session and the WebSocket", closePacket, async () => {
    const { socket, handshake } = await openWebSocketSession(server.engine);
    using _ = socket;
    socket.send("1");
    await socket.isClosed();
    await isForgotten(server.engine, handshake.sid);
  });
});

async function isForgotten(engine: string, sid: string): Promise<void> {
  await until(
    `session ${sid} unknown`,
    async () => (await send(engineUrl(engine, "polling", sid))).text === SESSION_UNKNOWN,
  );
  await assert.rejects(RawWebSocket.open(engineUrl(engine, "websocket", sid)), refusedWith(400));
}

/** The specification lets a server refuse the upgrade or close what it upgraded. */
async function refusedOrClosed(url: string): Promise<void> {
  const socket = await RawWebSocket.open(url).catch((error: unknown) => {
    assert.ok(refusedWith(400)(error), String(error));
  });
  if (!socket) return;
  using _ = socket;
  await socket.isClosed();
}
