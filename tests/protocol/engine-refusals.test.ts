import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { engineUrl, EngineSocket, PollingSession } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { RawWebSocket } from "../harness/websocket.ts";
import {
  assertAlive,
  assertAliveOn,
  BAD_HANDSHAKE_METHOD,
  BAD_REQUEST,
  refusedWith,
  SESSION_UNKNOWN,
  TRANSPORT_UNKNOWN,
  UNSUPPORTED_VERSION,
} from "./assertions.ts";

interface Refused {
  query: string;
  method?: string;
  body: string;
}

const refused: readonly Refused[] = [
  { query: "transport=polling", body: UNSUPPORTED_VERSION },
  { query: "EIO=&transport=polling", body: UNSUPPORTED_VERSION },
  { query: "EIO=3&transport=polling", body: UNSUPPORTED_VERSION },
  { query: "EIO=5&transport=polling", body: UNSUPPORTED_VERSION },
  { query: "EIO=abc&transport=polling", body: UNSUPPORTED_VERSION },
  { query: "EIO=4", body: TRANSPORT_UNKNOWN },
  { query: "EIO=4&transport=abc", body: TRANSPORT_UNKNOWN },
  { query: "EIO=4&transport=webtransport", body: TRANSPORT_UNKNOWN },
  { query: "", body: TRANSPORT_UNKNOWN },
  { query: "EIO=4&transport=websocket", body: BAD_REQUEST },
  { query: "EIO=4&transport=polling", method: "POST", body: BAD_HANDSHAKE_METHOD },
  { query: "EIO=4&transport=polling", method: "PUT", body: BAD_HANDSHAKE_METHOD },
  { query: "EIO=4&transport=polling", method: "DELETE", body: BAD_HANDSHAKE_METHOD },
  { query: "EIO=4&transport=polling&sid=unknown", body: SESSION_UNKNOWN },
  { query: "EIO=4&transport=polling&sid=unknown", method: "POST", body: SESSION_UNKNOWN },
  { query: "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAA", body: SESSION_UNKNOWN },
  { query: "EIO=4&transport=polling&sid=%00%F0%9F%92%A5%2F..", body: SESSION_UNKNOWN },
  { query: `EIO=4&transport=polling&sid=${"x".repeat(4_000)}`, body: SESSION_UNKNOWN },
];

onEveryTarget("Engine.IO refusals", {}, (server) => {
  describe("of HTTP requests: 400 with a code and a message", () => {
    for (const { query, method = "GET", body } of refused) {
      test(`${method} ?${query.length > 80 ? `${query.slice(0, 80)}…` : query} → ${body}`, async () => {
        const answer = await send(`${server.engine}?${query}`, { method });
        assert.equal(answer.status, 400);
        assert.equal(answer.text, body);
        assert.match(answer.headers["content-type"] ?? "", /^application\/json/);
      });
    }
  });

  describe("of WebSockets: an HTTP error instead of an upgrade", () => {
    for (const query of ["EIO=4&transport=abc", "EIO=4", "EIO=4&transport=websocket&sid=unknown"]) {
      test(`?${query}`, async () => {
        await assert.rejects(RawWebSocket.open(`${server.engine}?${query}`), refusedWith(400));
      });
    }

    for (const query of ["transport=websocket", "EIO=3&transport=websocket", "EIO=abc&transport=websocket"]) {
      test(`?${query}`, unlikeReference("it upgrades first and then breaks the connection"), async () => {
        await assert.rejects(RawWebSocket.open(`${server.engine}?${query}`), refusedWith(400));
      });
    }
  });

  test("of a method that a session has no use for, without harm to the session", async () => {
    using session = await PollingSession.open(server.engine);
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const { status } = await session.request(method);
      assert.ok(status >= 400, `${method} was answered with ${status}`);
    }
    await assertAlive(session);
  });

  test("of a poll on a session that is a WebSocket, without harm to the session", async () => {
    using socket = await EngineSocket.start(server.engine);
    for (const method of ["GET", "POST"]) {
      const answer = await send(engineUrl(server.engine, "polling", socket.sid), { method });
      assert.equal(answer.status, 400);
      assert.equal(answer.text, BAD_REQUEST);
    }
    await assertAliveOn(socket);
  });

  test("of a plain GET with transport=websocket on a polling session, without harm to the session", async () => {
    using session = await PollingSession.open(server.engine);
    const answer = await send(engineUrl(server.engine, "websocket", session.sid));
    assert.equal(answer.status, 400);
    assert.equal(answer.text, BAD_REQUEST);
    await assertAlive(session);
  });

  test("leave every other session alone", async () => {
    using session = await PollingSession.open(server.engine);
    await Promise.all(
      refused.map(({ query, method = "GET" }) => send(`${server.engine}?${query}`, { method })),
    );
    await assertAlive(session);
  });
});
