import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ask, closeClients, connect, connected, heard } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { testbed } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";

describe("a connection that breaks, with a namespace that recovers and one that does not", () => {
  let cluster: Cluster | undefined;
  let scatter: Scatter | undefined;

  before(async () => {
    const { urls } = (cluster = await Cluster.start({
      program: testbed(),
      size: 3,
      flags: { placement: "spread", recovery: "2m" },
    }));
    scatter = await Scatter.start(() => urls);
  });
  afterEach(closeClients);
  after(async () => {
    await scatter?.stop();
    await cluster?.destroy();
  });

  test("gives back the socket of the one, with what it missed, and a fresh one in the other", async () => {
    const url = scatter?.url ?? "";
    const [speaker, absent] = [await connected(url, "websocket"), await connected(url, "websocket")];
    const [speakerBeside, beside] = [speaker.io.socket("/unrecovered"), absent.io.socket("/unrecovered")];
    await Promise.all([connect(speakerBeside), connect(beside)]);
    await Promise.all([ask(absent, "join", "room"), ask(beside, "join", "room")]);

    const [said, saidBeside] = [heard(absent, "message"), heard(beside, "message")];
    await Promise.all([ask(speaker, "publish", "room", 1), ask(speakerBeside, "publish", "room", 1)]);
    const [room, text, offset, ...rest] = await said;
    assert.deepEqual([room, text, typeof offset, rest], ["room", 1, "string", []]);
    assert.deepEqual(await saidBeside, ["room", 1], "no offset where nothing can be asked for by it");

    const ids = [absent.id, beside.id];
    const away = [heard(absent, "disconnect"), heard(beside, "disconnect")];
    absent.io.reconnection(false);
    absent.io.engine.close();
    await Promise.all(away);
    await Promise.all([ask(speaker, "publish", "room", 2), ask(speakerBeside, "publish", "room", 2)]);

    const heardBeside: unknown[][] = [];
    beside.on("message", (...args: unknown[]) => heardBeside.push(args));
    const missed = heard(absent, "message");
    await Promise.all([connect(absent), connect(beside)]);
    assert.deepEqual((await missed).slice(0, 2), ["room", 2]);
    assert.ok(absent.recovered);
    assert.ok(!beside.recovered);
    assert.equal(absent.id, ids[0]);
    assert.notEqual(beside.id, ids[1]);

    await ask(beside, "join", "room");
    const next = heard(beside, "message");
    await ask(speakerBeside, "publish", "room", 3);
    await next;
    assert.deepEqual(heardBeside, [["room", 3]], "nothing is kept for who is away");
  });
});
