import assert from "node:assert/strict";
import { test } from "node:test";
import { engineUrl, PollingSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { RawWebSocket, UpgradeRefused } from "../harness/websocket.ts";

const EVIL = "https://evil.example";
const FORBIDDEN = '{"code":4,"message":"Forbidden"}';

onEveryTarget("Pages of other origins", {}, (server) => {
  const reason = unlikeReference("it lets pages of any origin act for the person in front of them");

  test("open no session", reason, async () => {
    const answer = await send(engineUrl(server.engine, "polling"), { headers: { origin: EVIL } });
    assert.deepEqual([answer.status, answer.text], [403, FORBIDDEN]);
  });

  test("post nothing", reason, async () => {
    using session = await PollingSession.open(server.engine);
    const answer = await session.push("4hello", { origin: EVIL });
    assert.deepEqual([answer.status, answer.text], [403, FORBIDDEN]);
    // The session goes on.
    await session.push("4mine");
    assert.equal((await session.poll()).text, "4mine");
  });

  test("get no WebSocket", reason, async () => {
    using session = await PollingSession.open(server.engine);
    for (const sid of [undefined, session.sid]) {
      const socket = new RawWebSocket(engineUrl(server.engine, "websocket", sid), { origin: EVIL });
      await assert.rejects(
        socket.opened(),
        (error) => error instanceof UpgradeRefused && error.status === 403,
      );
    }
  });

  test("the server's own do", async () => {
    const origin = new URL(server.url).origin;
    assert.equal((await send(engineUrl(server.engine, "polling"), { headers: { origin } })).status, 200);
    using socket = new RawWebSocket(engineUrl(server.engine, "websocket"), { origin });
    await socket.opened();
  });
});
