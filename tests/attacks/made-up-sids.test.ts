import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { engineUrl } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { Scene } from "./scene.ts";

/** As many and as large as in the review, where they cut a link and took 683 MiB. */
const POSTS = 200;
const BODY = Buffer.alloc(1_000_000, "x");
const POLLS = 2_000;
const AT_ONCE = 50;

/** The looks of a real one. */
function madeUp(): string {
  return randomBytes(27).toString("base64url");
}

describe("requests for made-up sessions", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare();
  });
  after(() => scene.end());

  test("are refused where they land, and cost next to nothing", async () => {
    const statuses = new Map<number, number>();
    const base = (at: number) => `${scene.cluster.node((at % 3) + 1).url}/socket.io/`;
    const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const costs = await scene.attack("made-up sessions", async () => {
      await inTurn(POSTS, async (at) => {
        const url = engineUrl(base(at), "polling", madeUp());
        // Refused before it is sent, the client may see the connection end in the middle of it.
        const answer = await send(url, { method: "POST", body: BODY }).catch(() => undefined);
        if (answer) count(answer.status);
      });
      await inTurn(POLLS, async (at) => {
        count((await send(engineUrl(base(at), "polling", madeUp()))).status);
      });
    });
    assert.deepEqual([...statuses.keys()], [400]);
    assert.ok((statuses.get(400) ?? 0) >= POLLS);
    // Other clients are at work, too.
    assert.ok(costs.linkBytes < (POSTS * BODY.length) / 20, "requests were forwarded");
    assert.ok(costs.memory < 32 * 1024 * 1024, "bodies were kept");
    await scene.isUnharmed(costs);
  });
});

async function inTurn(count: number, task: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
