import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { engineUrl, PollingSession } from "../harness/engine.ts";
import { until } from "../harness/wait.ts";
import { Scene } from "./scene.ts";

const CONNECTIONS = 300;
const ANNOUNCED = 1_000_000;
/** Enough to be within the lowest rate for a while, not enough to go on for ever. */
const SENT = 20_000;
/** What is granted beside the lowest rate is 10 s. */
const PATIENCE_MS = 20_000;

describe("bodies that do not come", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.prepare();
  });
  after(() => scene.end());

  test("are not waited for, and have no more room than there is for bodies", async () => {
    const node = scene.cluster.node(1);
    using session = await PollingSession.open(`${node.url}/socket.io/`);
    const url = new URL(engineUrl(`${node.url}/socket.io/`, "polling", session.sid));
    const statuses: number[] = [];
    const costs = await scene.attack("slow bodies", async () => {
      const sockets = Array.from({ length: CONNECTIONS }, () => {
        const socket = net.connect(Number(url.port), url.hostname);
        socket.write(
          `POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${ANNOUNCED}\r\n\r\n`,
        );
        socket.write("x".repeat(SENT));
        socket.on("data", (data: Buffer) => {
          const status = /^HTTP\/1.1 (\d+)/.exec(data.toString("latin1"))?.[1];
          if (status !== undefined) statuses.push(Number(status));
        });
        socket.on("error", () => undefined);
        return socket;
      });
      try {
        await until(
          "every body refused",
          () => {
            if (statuses.length < CONNECTIONS) throw new Error(`${statuses.length} of ${CONNECTIONS}`);
            return true;
          },
          { within: PATIENCE_MS },
        );
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
    const count = (status: number) => statuses.filter((one) => one === status).length;
    // 48 MiB are for large bodies.
    assert.equal(count(408), 50);
    assert.equal(count(503), CONNECTIONS - 50);
    assert.ok(costs.memory < 80 * 1024 * 1024, "bodies took more than their budget");
    await scene.isUnharmed(costs);
    // Room is free again.
    assert.equal((await session.push("1")).status, 200);
  });
});
