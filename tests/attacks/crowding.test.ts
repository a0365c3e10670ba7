import assert from "node:assert/strict";
import net from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { descriptors } from "../harness/costs.ts";
import { testbed } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { Scene } from "./scene.ts";

/** So few files that a node is soon full; half of them are not for clients then. */
const FILES = 256;
const FOR_CLIENTS = FILES / 2;
/** What a node may have open: so it can still dial its peers. */
const MOST = FILES - 16;
const CONNECTIONS = 400;

/** For how long, then, so many more are opened every now and then. */
const LASTING_MS = 2_000;
const AT_ONCE = 10;

describe("more connections than a node has files for", () => {
  const open: net.Socket[] = [];
  let scene: Scene;

  before(async () => {
    const { command, leadingArgs } = testbed();
    const limited = ["-c", `ulimit -n ${FILES}; exec "$0" "$@"`, command, ...leadingArgs];
    scene = await Scene.prepare({}, { command: "sh", leadingArgs: limited });
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });
  after(() => scene.end());

  test("are refused, and those who are in are served", async () => {
    const node = scene.cluster.node(1);
    const costs = await scene.attack("connections", async () => {
      crowd(node.ports.http, open, CONNECTIONS);
      // Not by HTTP, for the node is full: by what it has open.
      await until("the node is full", () => descriptors(node) >= FOR_CLIENTS);
      const end = performance.now() + LASTING_MS;
      while (performance.now() < end) {
        crowd(node.ports.http, open, AT_ONCE);
        await sleep(20);
        const count = descriptors(node);
        assert.ok(count <= MOST, `${count} files open`);
      }
    });
    assert.ok(costs.memory < 32 * 1024 * 1024);
    await scene.isUnharmed(costs);
  });

  test("do not keep a full node from its peers", async () => {
    const [full, other] = [scene.cluster.node(1), scene.cluster.node(2)];
    crowd(full.ports.http, open, CONNECTIONS);
    await until("the node is full", () => descriptors(full) >= FOR_CLIENTS);
    await other.stop();
    other.start();
    await until(
      "the restarted node sees the full one, and all of the cluster",
      async () => (await other.isHealthy()) && (await other.membersUp()).length === 3,
      { within: 20_000 },
    );
    for (const socket of open.splice(0)) socket.destroy();
    await scene.cluster.settled();
    const { clients } = await full.status();
    assert.ok(clients.refused_by_node > 0);
  });
});

function crowd(port: number, open: net.Socket[], connections: number): void {
  for (let count = 0; count < connections; count += 1) {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    open.push(socket);
  }
}
