import assert from "node:assert/strict";
import { test } from "node:test";
import { PollingSession } from "../harness/engine.ts";
import { onEveryTarget } from "../harness/targets.ts";
import { hangs, within } from "../harness/wait.ts";
import { assertAlive, assertForgotten } from "./assertions.ts";

/** Far below every timeout of the server: what takes longer was not released, but ran out. */
const AT_ONCE_MS = 8_000;

onEveryTarget("Engine.IO close over polling", {}, (server) => {
  test("the close packet ends the session and releases the hanging poll with a noop", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    assert.ok(await hangs(poll));
    const push = await session.push("1");
    assert.deepEqual([push.status, push.text], [200, "ok"]);
    const answer = await within(AT_ONCE_MS, "the hanging poll released", poll);
    assert.deepEqual([answer.status, answer.text], [200, "6"]);
    await assertForgotten(session);
  });

  test("the close packet with no poll hanging ends the session, too", async () => {
    using session = await PollingSession.open(server.engine);
    assert.equal((await session.push("1")).text, "ok");
    await assertForgotten(session);
  });

  test("a second concurrent poll is refused, ends the session and releases the first with a close packet", async () => {
    using session = await PollingSession.open(server.engine);
    const first = session.poll();
    assert.ok(await hangs(first));
    const second = await within(AT_ONCE_MS, "the second poll answered", session.poll());
    assert.equal(second.status, 400);
    const answer = await within(AT_ONCE_MS, "the first poll released", first);
    assert.deepEqual([answer.status, answer.text], [200, "1"]);
    await assertForgotten(session);
  });

  test("a cancelled poll ends the session", async () => {
    using session = await PollingSession.open(server.engine);
    const cancel = new AbortController();
    const poll = session.poll(cancel.signal);
    assert.ok(await hangs(poll));
    cancel.abort();
    await assert.rejects(poll);
    await assertForgotten(session);
  });

  test("a malformed push ends the session and releases the hanging poll with a close packet", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    assert.ok(await hangs(poll));
    await session.push("garbage").catch(() => undefined);
    const answer = await within(AT_ONCE_MS, "the hanging poll released", poll);
    assert.deepEqual([answer.status, answer.text], [200, "1"]);
    await assertForgotten(session);
  });

  test("the end of one session leaves another alone, whose poll goes on hanging", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    for (const last of ["1", "garbage"]) {
      using other = await PollingSession.open(server.engine);
      await other.push(last).catch(() => undefined);
      await assertForgotten(other);
    }
    assert.ok(await hangs(poll));
    await session.push("4wake up");
    assert.equal((await poll).text, "4wake up");
    await assertAlive(session);
  });
});
