import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { client, closeClients, connect, connected, heard, type Client } from "../harness/client.ts";
import { EngineSocket } from "../harness/engine.ts";
import { until } from "../harness/wait.ts";
import { Scene } from "./scene.ts";

/* What a client may have by naming a former socket: that socket alone, if nobody is there, and what came to it. */

/** What a client without a pong is given before its place is another's, with what a recovery takes itself. */
const TAKEN_OVER_MS = 5_000;
const MEMBERS = 30;
/** Sessions that claim what nobody has given them. */
const MADE_UP = 300;
/** So many, one after the other, take long enough to see what others wait meanwhile. */
const TOO_LONG = 20;

describe("recovery by strangers, clones and clients that ask for too much", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare({ placement: "spread", recovery: "2m" });
  });
  afterEach(closeClients);
  after(() => scene.end());

  const url = (node: number) => scene.cluster.node(node).url;
  const base = (node: number) => `${url(node)}/socket.io/`;

  test("an old offset is answered with nothing that was said in a room before it was joined", async () => {
    for (let round = 0; round < 6; round += 1) {
      const room = `secret-${round}`;
      const speaker = await connected(url(1), "websocket");
      // Enough for every lane of every node to hear the room.
      const members = await Promise.all(
        Array.from({ length: MEMBERS }, () => connected(url(1), "websocket")),
      );
      await Promise.all([speaker, ...members].map((member) => member.emitWithAck("join", room)));
      using first = await EngineSocket.start(base(2));
      const { sid, pid, offset } = await enter(first, {});
      // Until every lane has it: what is still on its way when somebody joins may come after that.
      const before = Promise.all(members.map((member) => heard(member, "message")));
      await speaker.emitWithAck("publish", room, "before");
      await before;
      first.send(`421["join","${room}"]`);
      assert.equal(await first.next(), "431[]");
      await speaker.emitWithAck("publish", room, "after");
      first.drop();

      using second = await EngineSocket.start(base(3));
      const again = await enter(second, { pid, offset });
      assert.equal(again.sid, sid, "the socket is recovered");
      const missed = String(await second.next());
      assert.match(missed, /"after"/);
      closeClients();
    }
  });

  test("a pid or an offset that no server gives costs little, and leads to a fresh socket", async () => {
    for (const auth of [
      { pid: "p".repeat(900_000), offset: "0.0.0" },
      { pid: "p", offset: "0".repeat(900_000) },
    ]) {
      const sent = JSON.stringify(auth);
      const costs = await scene.attack("a long pid or offset", async () => {
        for (let number = 0; number < TOO_LONG; number += 1) {
          using socket = await EngineSocket.start(base(1));
          socket.send(`40${sent}`);
          assert.match(String(await socket.next()), /^40\{"sid":/);
          await socket.next();
        }
      });
      // The testbed tells the client what it said, so it may cross a link twice.
      assert.ok(
        costs.linkBytes <= 3 * TOO_LONG * sent.length + (256 << 10),
        `${costs.linkBytes} bytes for ${TOO_LONG} times ${sent.length}`,
      );
      await scene.isUnharmed(costs);
    }
  });

  test("a pid that somebody made up is asked for nowhere", async () => {
    const arrivals = (auth: () => { pid?: string; offset?: string }) =>
      scene.attack("sessions with and without a made-up pid", async () => {
        for (let number = 0; number < MADE_UP; number += 1) {
          using socket = await EngineSocket.start(base(1 + (number % 3)));
          socket.send(`40${JSON.stringify(auth())}`);
          assert.match(String(await socket.next()), /^40\{"sid":/);
        }
      });
    const without = await arrivals(() => ({}));
    const withOne = await arrivals(() => ({
      pid: `${randomBytes(27).toString("base64url")}.${randomBytes(12).toString("base64url")}`,
      offset: "0.0.0",
    }));
    // What is said of itself, to the standby and back; others are at work, too.
    const said = MADE_UP * 300;
    assert.ok(
      withOne.linkBytes <= 1.2 * without.linkBytes + said,
      `${withOne.linkBytes} bytes, and ${without.linkBytes} without a pid`,
    );
    await scene.isUnharmed(withOne);
  });

  test("a client that is there keeps its place, and who claims it gets a fresh one", async () => {
    const original = await connected(url(1), "websocket");
    await original.emitWithAck("join", "clones");
    const { id } = original;
    let disconnects = 0;
    original.on("disconnect", () => (disconnects += 1));
    for (let number = 0; number < 3; number += 1) {
      const clone = client(url(2), "websocket");
      copyPid(original, clone);
      await connect(clone);
      assert.equal(clone.recovered, false);
      assert.notEqual(clone.id, id);
      await clone.emitWithAck("echo", "x");
    }
    assert.deepEqual([disconnects, original.id], [0, id]);
    assert.equal(await original.emitWithAck("echo", "x"), "x");
  });

  test("a connection that is half open is taken over", async () => {
    using gone = await EngineSocket.start(base(1));
    const { sid, pid, offset } = await enter(gone, {});
    gone.pause();
    const began = Date.now();
    using back = await EngineSocket.start(base(2));
    assert.equal((await enter(back, { pid, offset })).sid, sid);
    assert.ok(Date.now() - began < TAKEN_OVER_MS);
    gone.resume();
    await until("the former connection is closed", () => !gone.isOpen);
  });
});

interface Entered {
  sid: string;
  pid: string;
  offset: string;
}

/** Connects to the main namespace; a fresh socket is greeted by the testbed, with the first offset. */
async function enter(socket: EngineSocket, auth: { pid?: string; offset?: string }): Promise<Entered> {
  socket.send(`40${JSON.stringify(auth)}`);
  const accepted = String(await socket.next());
  assert.match(accepted, /^40\{/);
  const { sid, pid } = JSON.parse(accepted.slice(2)) as { sid: string; pid: string };
  if (auth.pid !== undefined) return { sid, pid, offset: "" };
  const [, , offset] = JSON.parse(String(await socket.next()).slice(2)) as [string, unknown, string];
  return { sid, pid, offset };
}

/** The stock client keeps what it needs to recover to itself. */
function copyPid(from: Client, to: Client): void {
  const secrets = (of: Client) => of as unknown as { _pid?: string; _lastOffset?: string };
  const { _pid, _lastOffset } = secrets(from);
  assert.ok(_pid !== undefined);
  Object.assign(secrets(to), { _pid, _lastOffset });
}
