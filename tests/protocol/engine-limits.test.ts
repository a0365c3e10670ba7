import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineSocket, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { startUpload } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { assertAlive } from "./assertions.ts";
import { within } from "../harness/wait.ts";

const MAX_PAYLOAD = 10_000;

/** More than the socket buffers on the way can hold, so that a server which stops reading stops the sender. */
const HUGE = 256 * 1024 * 1024;
const BUFFERS_ON_THE_WAY = 64 * 1024 * 1024;

onEveryTarget("Engine.IO limit on what a client sends", { maxPayload: MAX_PAYLOAD }, (server) => {
  test("a body of exactly maxPayload is accepted", async () => {
    using session = await PollingSession.open(server.engine);
    const body = `4${"x".repeat(MAX_PAYLOAD - 1)}`;
    assert.equal((await session.push(body)).text, "ok");
    assert.deepEqual(await session.take(1), [body]);
  });

  test("one byte more is refused with 413", async () => {
    using session = await PollingSession.open(server.engine);
    assert.equal((await session.push(`4${"x".repeat(MAX_PAYLOAD)}`)).status, 413);
  });

  test("what counts are bytes, not characters", async () => {
    using session = await PollingSession.open(server.engine);
    const characters = Math.floor(MAX_PAYLOAD / 3);
    assert.equal((await session.push(`4${"€".repeat(characters)}`)).status, 200);
    assert.equal((await session.push(`4${"€".repeat(characters + 1)}`)).status, 413);
  });

  test("what counts is the whole body, not each packet", async () => {
    using session = await PollingSession.open(server.engine);
    const packet = `4${"x".repeat(MAX_PAYLOAD / 2)}`;
    assert.equal((await session.push(`${packet}${SEPARATOR}${packet}`)).status, 413);
  });

  test("nothing of a refused body is taken, and other sessions are left alone", async () => {
    using session = await PollingSession.open(server.engine);
    using other = await PollingSession.open(server.engine);
    assert.equal((await session.push(`4taken?${SEPARATOR}4${"x".repeat(MAX_PAYLOAD)}`)).status, 413);
    // Whether the session survives is left open; the half it could have read must not come back.
    if ((await session.push("4next")).status === 200) assert.deepEqual(await session.take(1), ["4next"]);
    await assertAlive(other);
  });

  test("a body that says it is too long is refused without waiting for its end", async () => {
    using session = await PollingSession.open(server.engine);
    const upload = startUpload(session.url, { "content-length": String(HUGE) });
    await upload.pour(2 * MAX_PAYLOAD);
    assert.equal(await within(10_000, "an answer to the beginning", upload.status), 413);
    upload.destroy();
  });

  test(
    "a body that does not end is cut: 413, and read no further",
    unlikeReference("it reads on and discards"),
    async () => {
      using session = await PollingSession.open(server.engine);
      const upload = startUpload(session.url, { "transfer-encoding": "chunked" });
      const sent = upload.pour(HUGE);
      assert.equal(await within(10_000, "an answer while the body is being sent", upload.status), 413);
      await within(10_000, "the upload cut", upload.closed);
      const bytes = await sent;
      assert.ok(bytes < BUFFERS_ON_THE_WAY, `${bytes} bytes went out before the upload was cut`);
    },
  );

  test("a WebSocket message of exactly maxPayload is accepted", async () => {
    using socket = await EngineSocket.start(server.engine);
    const text = `4${"x".repeat(MAX_PAYLOAD - 1)}`;
    const binary = Buffer.alloc(MAX_PAYLOAD, 1);
    socket.send(text);
    socket.send(binary);
    assert.deepEqual(await socket.take(2), [text, binary]);
  });

  for (const [kind, message] of [
    ["text", `4${"x".repeat(MAX_PAYLOAD)}`],
    ["binary", Buffer.alloc(MAX_PAYLOAD + 1)],
  ] as const) {
    test(`a longer ${kind} message closes the WebSocket`, async () => {
      using socket = await EngineSocket.start(server.engine);
      socket.send(message);
      await socket.isClosed();
    });
  }

  test("a longer message in short fragments closes the WebSocket, too", async () => {
    using socket = await EngineSocket.start(server.engine);
    socket.sendFragments(["4", ...Array.from({ length: 11 }, () => "x".repeat(MAX_PAYLOAD / 10))]);
    await socket.isClosed();
  });
});
