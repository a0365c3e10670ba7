import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PollingSession, SEPARATOR } from "../harness/engine.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { DEFAULT_DEADLINE_MS, hangs, within } from "../harness/wait.ts";
import { assertAlive, assertForgotten } from "./assertions.ts";

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** Payloads whose packets come back as they were sent. */
const payloads: Record<string, readonly string[]> = {
  "one text packet": ["4hello"],
  "several text packets": ["4test1", "4test2", "4test3"],
  "text and binary": ["4hello", "bAQIDBA==", "4world"],
  "an empty message": ["4"],
  "an empty binary message": ["b"],
  "binary whose base64 begins with 4": ["b4A=="],
  "binary with every byte": [`b${everyByte.toString("base64")}`],
  "text outside ASCII": ["4€ — 日本語 — 🦀👩‍👩‍👧 — \u0000\u001f"],
  "text that looks like other packets": ["42", "41", "4b", "40{}", "44"],
  "line breaks, quotes and backslashes": ['4a\r\nb\\n"c"'],
  "a burst of 1,000 packets": Array.from({ length: 1_000 }, (_, number) => `4${number}`),
};

/** Bodies that are no payloads of version 4; the stock server is lenient about some. */
const malformed: Record<string, { body: string | Uint8Array; lenient?: string }> = {
  "an unknown packet type": { body: "abc" },
  "an unknown packet type, a digit": { body: "7hello" },
  "an empty body": { body: "" },
  "an empty packet before another": { body: `${SEPARATOR}4hello` },
  "an empty packet after another": { body: `4hello${SEPARATOR}` },
  "a good packet, then a bad one": { body: `4hello${SEPARATOR}xyz` },
  "the lengths of version 3": { body: "9:4hello you" },
  "a ping, which only servers send": { body: "2" },
  "base64 that is none": { body: "b!not base64!", lenient: "Buffer.from() skips what is not base64" },
  "bytes that are not UTF-8": {
    body: Uint8Array.from([0x34, 0xff, 0xfe]),
    lenient: "it reads them as U+FFFD",
  },
};

onEveryTarget("Engine.IO over polling", {}, (server) => {
  describe("comes back as it was sent:", () => {
    for (const [title, packets] of Object.entries(payloads)) {
      test(title, async () => {
        using session = await PollingSession.open(server.engine);
        const answer = await session.push(packets.join(SEPARATOR));
        assert.equal(answer.status, 200);
        assert.equal(answer.text, "ok");
        assert.deepEqual(await session.take(packets.length), packets);
      });
    }
  });

  describe("closes the session and answers 400 upon", () => {
    for (const [title, { body, lenient }] of Object.entries(malformed)) {
      test(title, lenient === undefined ? {} : unlikeReference(lenient), async () => {
        using session = await PollingSession.open(server.engine);
        // The stock server breaks the connection of some of these POSTs instead of answering.
        const status = await session.push(body).then(
          (answer) => answer.status,
          () => "broken" as const,
        );
        if (!unlikeReference("").skip) assert.equal(status, 400);
        await assertForgotten(session);
      });
    }
  });

  test("a hanging poll is answered as soon as there is something", async () => {
    using session = await PollingSession.open(server.engine);
    const poll = session.poll();
    assert.ok(await hangs(poll), "the poll was answered with nothing to say");
    await session.push("4wake up");
    const answer = await within(DEFAULT_DEADLINE_MS, "the hanging poll answered", poll);
    assert.equal(answer.text, "4wake up");
  });

  test("what is sent while no poll hangs waits for the next poll", async () => {
    using session = await PollingSession.open(server.engine);
    await session.push("4one");
    await session.push(`4two${SEPARATOR}bAAE=`);
    assert.deepEqual(await session.take(3), ["4one", "4two", "bAAE="]);
  });

  test("pushes made one after the other come back in order", async () => {
    using session = await PollingSession.open(server.engine);
    const packets = Array.from({ length: 40 }, (_, number) => `4${number}`);
    const answers = session.take(packets.length);
    for (const packet of packets) await session.push(packet);
    assert.deepEqual(await answers, packets);
  });

  test("polls are plain text, pushes are answered with text/html, and neither may be cached", async () => {
    using session = await PollingSession.open(server.engine);
    const push = await session.push("4hello");
    const poll = await session.poll();
    // text/html, because some browsers offer text/plain for download.
    assert.match(push.headers["content-type"] ?? "", /^text\/html/);
    assert.match(poll.headers["content-type"] ?? "", /^text\/plain; ?charset=utf-8$/i);
    assert.equal(push.headers["cache-control"], "no-store");
    assert.equal(poll.headers["cache-control"], "no-store");
  });

  for (const contentType of [
    "text/plain;charset=UTF-8",
    "text/plain",
    "application/x-www-form-urlencoded",
    undefined,
  ]) {
    test(`a push with ${contentType ?? "no"} content type is read as text`, async () => {
      using session = await PollingSession.open(server.engine);
      const headers: Record<string, string> =
        contentType === undefined ? {} : { "content-type": contentType };
      assert.equal((await session.push("4a=b&c%20d+e", headers)).text, "ok");
      assert.deepEqual(await session.take(1), ["4a=b&c%20d+e"]);
    });
  }

  test("sessions do not hear each other", async () => {
    const sessions = await Promise.all(Array.from({ length: 10 }, () => PollingSession.open(server.engine)));
    await Promise.all(
      sessions.map(async (session, number) => {
        await session.push(`4mine: ${number}`);
        assert.deepEqual(await session.take(1), [`4mine: ${number}`]);
        session[Symbol.dispose]();
      }),
    );
  });

  test("overlapping pushes are all answered, and the session is whole or gone", async () => {
    using session = await PollingSession.open(server.engine);
    const numbers = Array.from({ length: 5 }, (_, number) => number);
    const answers = await within(
      DEFAULT_DEADLINE_MS,
      "every push answered",
      Promise.all(numbers.map((number) => session.push(`4${number}`).catch(() => ({ status: 400 })))),
    );
    const accepted = answers.filter(({ status }) => status === 200).length;
    assert.ok(answers.every(({ status }) => status === 200 || status === 400));
    if (accepted === numbers.length) {
      assert.deepEqual(
        (await session.take(accepted)).sort(),
        numbers.map((number) => `4${number}`),
      );
      await assertAlive(session);
    } else {
      await assertForgotten(session);
    }
  });
});
