import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ask, closeClients, connected } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import type { ClusterNode } from "../harness/node.ts";
import { testbed } from "../harness/programs.ts";
import { connectRaw } from "../harness/socketio.ts";
import { until } from "../harness/wait.ts";

const MESSAGE = "x".repeat(50_000);
const MESSAGES = 2_000;

/** Far less than the 100 MB that are published: nobody keeps all of that for one who does not read. */
const MEMORY_AT_MOST = 60 * 1024 * 1024;

describe("a client that does not read", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ program: testbed(), size: 3 });
  });

  after(async () => {
    closeClients();
    await cluster.destroy();
  });

  test("is let go before it costs much, and the others hear everything", async () => {
    const [owner, other] = [cluster.node(1), cluster.node(2)];
    using lazy = await connectRaw(`${owner.url}/socket.io/`);
    lazy.send('420["join","firehose"]');
    assert.equal(await lazy.next(), "430[]");
    lazy.pause();

    const reader = await connected(owner.url, "websocket");
    const speaker = await connected(other.url, "websocket");
    await ask(reader, "join", "firehose");
    let heard = 0;
    reader.on("message", () => (heard += 1));

    const before = [owner, other].map(residentBytes);
    const most = [...before];
    for (let said = 0; said < MESSAGES; said += 1) {
      await ask(speaker, "publish", "firehose", MESSAGE);
      if (said % 50 === 0)
        [owner, other].forEach((node, at) => (most[at] = Math.max(most[at] ?? 0, residentBytes(node))));
    }
    await until("the reader has heard everything", () => heard === MESSAGES, { within: 30_000 });
    const growth = most.map((bytes, at) => bytes - (before[at] ?? 0));
    for (const bytes of growth)
      assert.ok(bytes < MEMORY_AT_MOST, `a node grew by ${Math.round(bytes / 1024 / 1024)} MiB`);

    lazy.resume();
    await lazy.isClosed();
  });
});

/** More than 8 MiB together, which is what a client may be behind. */
const ANSWERS = 33;
const BYTES = 265_000;

describe("a client that reads, and asks for much at once", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ program: testbed(), size: 1 });
  });

  after(async () => {
    await cluster.destroy();
  });

  test("is told all of it in order", async () => {
    using socket = await connectRaw(`${cluster.node(1).url}/socket.io/`);
    socket.sendTogether(Array.from({ length: ANSWERS }, (_, ask) => `42${ask}["fill",${BYTES}]`));
    const filled = "x".repeat(BYTES);
    for (let ask = 0; ask < ANSWERS; ask += 1) {
      const answer = await socket.next();
      assert.ok(
        answer === `43${ask}["${filled}"]`,
        `answer ${ask} is another: ${answer.slice(0, 20).toString()}`,
      );
    }
  });
});

function residentBytes(node: ClusterNode): number {
  const status = readFileSync(`/proc/${node.child.pid ?? 0}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
