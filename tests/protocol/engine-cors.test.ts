import assert from "node:assert/strict";
import { test } from "node:test";
import { engineUrl, PollingSession } from "../harness/engine.ts";
import { send, type Answer } from "../harness/http.ts";
import { onEveryTarget } from "../harness/targets.ts";

const ORIGIN = "https://chat.example";
const STRANGER = "https://elsewhere.example";

const preflight = (origin: string) => ({
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "content-type,x-custom",
});

onEveryTarget("CORS unless configured", {}, (server) => {
  test("no answer lets another origin in", async () => {
    const headers = { origin: ORIGIN };
    const answers = [
      await send(engineUrl(server.engine, "polling"), { headers }),
      await send(engineUrl(server.socketio, "polling"), { headers }),
      await send(engineUrl(server.engine, "polling", "unknown"), { headers }),
      await send(engineUrl(server.engine, "polling"), { method: "OPTIONS", headers: preflight(ORIGIN) }),
    ];
    for (const answer of answers) assert.equal(corsHeaders(answer).length, 0, corsHeaders(answer).join());
  });
});

onEveryTarget("CORS for one origin", { corsOrigin: ORIGIN }, (server) => {
  test("the handshake, polls and pushes name the origin, and that the answer depends on it", async () => {
    using session = await PollingSession.open(server.engine);
    const headers = { origin: ORIGIN };
    const push = await send(session.url, { method: "POST", headers, body: "4hello" });
    const poll = await send(session.url, { headers });
    const handshake = await send(engineUrl(server.engine, "polling"), { headers });
    for (const answer of [handshake, push, poll]) {
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
      assert.match(answer.headers.vary ?? "", /\bOrigin\b/i);
    }
  });

  test("errors name it, too, or the client could not read them", async () => {
    const refused = [
      engineUrl(server.engine, "polling", "unknown"),
      `${server.engine}?EIO=4`,
      `${server.engine}?transport=polling`,
      engineUrl(server.socketio, "polling", "unknown"),
    ];
    for (const url of refused) {
      const answer = await send(url, { headers: { origin: ORIGIN } });
      assert.equal(answer.status, 400);
      assert.equal(answer.headers["access-control-allow-origin"], ORIGIN, `${url} → ${answer.text}`);
    }
  });

  test("a body that is too large is refused with the origin named", async () => {
    using session = await PollingSession.open(server.engine);
    const body = `4${"x".repeat(session.handshake.maxPayload)}`;
    const answer = await send(session.url, { method: "POST", headers: { origin: ORIGIN }, body });
    assert.equal(answer.status, 413);
    assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
  });

  test("a preflight is answered on any node, for any session, also an unknown one", async () => {
    using session = await PollingSession.open(server.engine);
    const urls = [
      engineUrl(server.engine, "polling"),
      session.url,
      engineUrl(server.engine, "polling", "unknown"),
    ];
    for (const url of [...urls, ...urls]) {
      const answer = await send(url, { method: "OPTIONS", headers: preflight(ORIGIN) });
      assert.equal(answer.status, 204);
      assert.equal(answer.text, "");
      assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
      const methods = answer.headers["access-control-allow-methods"] ?? "";
      for (const method of ["GET", "POST"]) assert.match(methods, new RegExp(`\\b${method}\\b`));
      const allowed = answer.headers["access-control-allow-headers"] ?? "";
      for (const header of ["content-type", "x-custom"])
        assert.ok(allowed.toLowerCase().includes(header), allowed);
    }
  });

  test("a preflight costs the session nothing", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    await send(session.url, { method: "OPTIONS", headers: preflight(ORIGIN) });
    await session.push("4hello");
    assert.equal((await poll).text, "4hello");
  });

  test("credentials are not allowed unless configured", async () => {
    const answer = await send(engineUrl(server.engine, "polling"), { headers: { origin: ORIGIN } });
    assert.equal(answer.headers["access-control-allow-credentials"], undefined);
  });

  test("another origin is not let in", async () => {
    const url = engineUrl(server.engine, "polling");
    for (const method of ["GET", "OPTIONS"]) {
      const answer = await send(url, { method, headers: preflight(STRANGER) });
      const allowed = answer.headers["access-control-allow-origin"];
      assert.ok(allowed !== STRANGER && allowed !== "*", `${method} allows ${String(allowed)}`);
    }
  });
});

onEveryTarget("CORS with credentials", { corsOrigin: ORIGIN, corsCredentials: true }, (server) => {
  test("they are allowed on every answer", async () => {
    const headers = { origin: ORIGIN };
    const answers = [
      await send(engineUrl(server.engine, "polling"), { headers }),
      await send(engineUrl(server.engine, "polling", "unknown"), { headers }),
      await send(engineUrl(server.engine, "polling"), { method: "OPTIONS", headers: preflight(ORIGIN) }),
    ];
    for (const answer of answers) {
      assert.equal(answer.headers["access-control-allow-credentials"], "true");
      assert.equal(answer.headers["access-control-allow-origin"], ORIGIN);
    }
  });
});

onEveryTarget("CORS for every origin", { corsOrigin: "*" }, (server) => {
  test("any origin is let in", async () => {
    const answer = await send(engineUrl(server.engine, "polling"), { headers: { origin: STRANGER } });
    assert.equal(answer.headers["access-control-allow-origin"], "*");
  });
});

function corsHeaders(answer: Answer): string[] {
  return Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"));
}
