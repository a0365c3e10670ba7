import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { engineUrl } from "../harness/engine.ts";
import { send } from "../harness/http.ts";
import { Scene } from "./scene.ts";

describe("one address that opens and opens", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare({
      trustProxy: "127.0.0.1",
      maxConnectionsPerAddress: 50,
      maxOpensPerAddress: 5,
    });
  });
  after(() => scene.end());

  test("is told to come later, and others are let in", async () => {
    const node = scene.cluster.node(1);
    const url = engineUrl(`${node.url}/socket.io/`, "polling");
    const from = (address: string) => send(url, { headers: { "x-forwarded-for": address } });
    const statuses = new Map<number, number>();
    let began = 0;
    let ended = 0;
    const costs = await scene.attack("opens of one address", async () => {
      began = performance.now();
      for (let count = 0; count < 1_000; count += 1) {
        // Any address of the same /64 is the same.
        const answer = await from(`2001:db8:0:1::${count.toString(16)}`);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 429) assert.match(answer.headers["retry-after"] ?? "", /^[1-9]/);
      }
      ended = performance.now();
    });
    const opened = statuses.get(200) ?? 0;
    // 50 at once, and 5 a second.
    const most = 50 + 5 * Math.ceil((ended - began) / 1_000);
    assert.ok(opened >= 50 && opened <= most, `${opened} sessions were opened, at most ${most}`);
    assert.equal(statuses.get(429), 1_000 - opened);
    assert.equal((await from("2001:db8:0:2::1")).status, 200);
    const { clients } = await node.status();
    assert.equal(clients.refused_by_address, 1_000 - opened);
    await scene.isUnharmed(costs);
  });
});
