import assert from "node:assert/strict";
import { test } from "node:test";
import { engineUrl, EngineSocket, parseHandshake, PollingSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget } from "../harness/targets.ts";

onEveryTarget("Engine.IO handshake with default settings", {}, (server) => {
  test("over polling: exactly the five keys, with the default values", async () => {
    const answer = await send(engineUrl(server.engine, "polling"));
    assert.equal(answer.status, 200);
    const { sid, ...settings } = parseHandshake(answer.text);
    assert.deepEqual(settings, {
      upgrades: ["websocket"],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1_000_000,
    });
    assert.equal(typeof sid, "string");
  });

  test("over WebSocket: the same, with nothing to upgrade to", async () => {
    using socket = await EngineSocket.start(server.engine);
    const { sid, ...settings } = socket.handshake;
    assert.deepEqual(settings, {
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1_000_000,
    });
    assert.equal(typeof sid, "string");
  });

  test("is plain text that no cache may keep", async () => {
    const { headers } = await send(engineUrl(server.engine, "polling"));
    assert.match(headers["content-type"] ?? "", /^text\/plain; ?charset=utf-8$/i);
    assert.equal(headers["cache-control"], "no-store");
  });

  test("gives every session an id of its own, too long to guess", async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => PollingSession.open(server.engine)));
    const sids = new Set(sessions.map((session) => session.sid));
    for (const session of sessions) session[Symbol.dispose]();
    assert.equal(sids.size, sessions.length);
    // 120 bits are 20 characters of base64.
    for (const sid of sids) assert.match(sid, /^[A-Za-z0-9_-]{20,}$/);
  });

  test("ignores query parameters it does not know", async () => {
    const answer = await send(`${engineUrl(server.engine, "polling")}&t=abc&b64=1`);
    assert.equal(answer.status, 200);
  });
});

onEveryTarget(
  "Engine.IO handshake with settings of our own",
  { pingInterval: 1_234, pingTimeout: 2_345, maxPayload: 34_567 },
  (server) => {
    test("announces them", async () => {
      using session = await PollingSession.open(server.engine);
      const { pingInterval, pingTimeout, maxPayload } = session.handshake;
      assert.deepEqual(
        { pingInterval, pingTimeout, maxPayload },
        { pingInterval: 1_234, pingTimeout: 2_345, maxPayload: 34_567 },
      );
    });
  },
);
