import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { Child } from "../harness/child.ts";
import { ClusterNode, freeNodePorts, loopback } from "../harness/node.ts";
import { freePort } from "../harness/ports.ts";
import { testbed } from "../harness/programs.ts";
import { within } from "../harness/wait.ts";

/** An address for documentation (RFC 5737): not loopback, and no machine's own. */
const ELSEWHERE = "192.0.2.7";

let running: ClusterNode | undefined;

afterEach(async () => {
  await running?.kill();
  running = undefined;
});

/** Starts a node that cannot start; gives what it says before it gives up. */
async function failingStart(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  const { command, leadingArgs } = testbed();
  const child = new Child("failing", { program: command, args: [...leadingArgs, ...args], env });
  const { code } = await within(10_000, "the node gives up", child.exited);
  assert.ok(code !== null && code > 0, `it left with ${String(code)}`);
  return child.lastLines.filter((line) => line.trim() !== "");
}

describe("a node that cannot start says why in one line, and leaves with an error", () => {
  const cluster = async () => loopback(await freePort());

  test("without a secret it does not listen to the network", async () => {
    const lines = await failingStart([
      "--http",
      await cluster(),
      "--cluster",
      `${ELSEWHERE}:${await freePort()}`,
    ]);
    assert.match(lines.join("\n"), /secret/i);
    assert.equal(lines.length, 1);
  });

  test("a secret that somebody made up", async () => {
    const lines = await failingStart(["--http", await cluster(), "--cluster", await cluster()], {
      HITHER_SECRET: "correct horse battery staple",
    });
    assert.match(lines.join("\n"), /secret/i);
    assert.equal(lines.length, 1);
  });

  test("ports in use, each by its flag", async () => {
    running = new ClusterNode(
      { name: "first", program: testbed(), seeds: [], flags: {} },
      await freeNodePorts(),
    );
    running.start();
    await running.sees(["first"]);
    const free = [
      ...["--http", loopback(await freePort()), "--admin", loopback(await freePort())],
      ...["--cluster", await cluster()],
    ];
    const taken = {
      "--http": loopback(running.ports.http),
      "--admin": loopback(running.ports.admin),
      "--cluster": running.clusterAddress,
    };
    for (const [flag, address] of Object.entries(taken)) {
      const args = free.with(free.indexOf(flag) + 1, address);
      const said = (await failingStart(args)).filter((line) => !/ INFO | WARN /.test(line));
      assert.equal(said.length, 1, said.join("\n"));
      assert.ok(said[0]?.includes(flag), said[0]);
    }
  });

  test("an unknown flag, and a seed without a port", async () => {
    for (const args of [["--no-such-flag"], ["--seed", "localhost"]]) {
      const lines = await failingStart(args);
      assert.match(lines[0] ?? "", /^error: /);
    }
  });
});

describe("a node that is asked to end", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`leaves with success upon ${signal}`, async () => {
      running = new ClusterNode(
        { name: "alone", program: testbed(), seeds: [], flags: {} },
        await freeNodePorts(),
      );
      running.start();
      await running.sees(["alone"]);
      running.child.signal(signal);
      assert.deepEqual(await within(10_000, "the node is gone", running.child.exited), {
        code: 0,
        signal: null,
      });
    });
  }
});
