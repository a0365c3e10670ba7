import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { engineUrl, EngineSocket } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { until } from "../harness/wait.ts";
import { assertAliveOn, assertRefusedOrClosed, refusedWith, SESSION_UNKNOWN } from "./assertions.ts";
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
    using socket = await EngineSocket.start(server.engine);
    const messages = ["4hello", "4", "4€ — 日本語 — 🦀", "4a\x1e4b", `4${"x".repeat(100_000)}`];
    for (const message of messages) socket.send(message);
    assert.deepEqual(await socket.take(messages.length), messages);
  });

  test("binary comes back as binary, without a type in front", async () => {
    using socket = await EngineSocket.start(server.engine);
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
    using socket = await EngineSocket.start(server.engine);
    const messages = Array.from({ length: 2_000 }, (_, number) =>
      number % 3 === 0 ? Buffer.from(String(number)) : `4${number}`,
    );
    for (const message of messages) socket.send(message);
    assert.deepEqual(await socket.take(messages.length), messages);
  });

  test("a message in fragments is one message", async () => {
    using socket = await EngineSocket.start(server.engine);
    socket.sendFragments(["4hel", "lo ", "wor", "ld"]);
    assert.equal(await socket.next(), "4hello world");
  });

  test("WebSocket pings are answered and harm nothing", async () => {
    using socket = await EngineSocket.start(server.engine);
    await socket.pingPong();
    await assertAliveOn(socket);
  });

  describe("is closed by the server upon", () => {
    for (const [title, frame] of Object.entries(malformed)) {
      test(title, async () => {
        using socket = await EngineSocket.start(server.engine);
        socket.send(frame);
        await socket.isClosed();
        await isForgotten(server.engine, socket.sid);
      });
    }
  });

  const secondSocket = unlikeReference("it takes the second for a probe, unless the first was one");
  test(
    "a second WebSocket for the session is refused or closed, without harm to the first",
    secondSocket,
    async () => {
      using socket = await EngineSocket.start(server.engine);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await assertRefusedOrClosed(RawWebSocket.open(engineUrl(server.engine, "websocket", socket.sid)));
      }
      await assertAliveOn(socket);
    },
  );

  test("closing the WebSocket ends the session", async () => {
    const socket = await EngineSocket.start(server.engine);
    await socket.close();
    await isForgotten(server.engine, socket.sid);
  });

  test("dropping the connection ends the session", async () => {
    const socket = await EngineSocket.start(server.engine);
    socket.drop();
    await isForgotten(server.engine, socket.sid);
  });

  const closePacket = unlikeReference(
    "it ignores a close packet on a WebSocket, and the ping timeout ends the session",
  );
  test("the close packet ends the session and the WebSocket", closePacket, async () => {
    using socket = await EngineSocket.start(server.engine);
    socket.send("1");
    await socket.isClosed();
    await isForgotten(server.engine, socket.sid);
  });
});

async function isForgotten(engine: string, sid: string): Promise<void> {
  await until(
    `session ${sid} unknown`,
    async () => (await send(engineUrl(engine, "polling", sid))).text === SESSION_UNKNOWN,
  );
  await assert.rejects(RawWebSocket.open(engineUrl(engine, "websocket", sid)), refusedWith(400));
}
