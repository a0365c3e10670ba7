// cluster.sh: nodes come, go, and come back.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Cluster, isHealthy, processesIn, until } from "./harness.mjs";

test("start brings up three healthy nodes and says where they are", async (t) => {
  const cluster = await Cluster.create(t);
  const said = await cluster.do("start");
  for (const node of [1, 2, 3]) {
    assert.ok(await isHealthy(cluster.url(node)));
    assert.ok(said.includes(cluster.url(node)));
    assert.ok(said.includes(path.join(cluster.run, "logs", `node${node}.log`)));
  }
  assert.ok(said.includes(`open http://localhost:${cluster.http}`));
  assert.ok(await isHealthy(cluster.frontUrl));
});

test("the nodes know each other by seeds and share a secret that only their user may read", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start");
  const seeds = [1, 2, 3].map((node) => `127.0.0.1:${cluster.cluster + node}`);
  assert.deepEqual(await cluster.seedsOf(1), [seeds[1], seeds[2]]);
  assert.deepEqual(await cluster.seedsOf(3), [seeds[0], seeds[1]]);
  const secret = path.join(cluster.run, "secret");
  assert.ok((await cluster.argumentsOf(2)).includes(secret));
  assert.equal((await stat(secret)).mode & 0o777, 0o600);
  assert.match(await readFile(secret, "utf8"), /^[0-9a-f]{64}$/);
});

test("start again leaves alone what runs, and adds what is missing", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2");
  const before = await cluster.pids("node1", "node2");
  await cluster.do("start", "4");
  assert.deepEqual(await cluster.pids("node1", "node2"), before);
  assert.ok(await isHealthy(cluster.url(4)));
});

test("two starts at the same time end in one cluster", async (t) => {
  const cluster = await Cluster.create(t);
  await Promise.all([cluster.do("start"), cluster.do("start")]);
  const pids = await cluster.pids("node1", "node2", "node3");
  assert.deepEqual((await processesIn(cluster.run)).sort(), pids.sort());
});

test("kill ends one node without warning, restart brings it back under its name", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start");
  const [first, second] = await cluster.pids("node1", "node2");
  await cluster.do("kill", "2");
  assert.ok(!(await isHealthy(cluster.url(2))));
  assert.match(await cluster.do("status"), /^node2 +- +\S+ +down/m);
  await cluster.do("restart", "node2");
  assert.ok(await isHealthy(cluster.url(2)));
  assert.equal(await cluster.pid("node1"), first);
  assert.notEqual(await cluster.pid("node2"), second);
});

test("restart of a running node asks it to end first, and all the others are its seeds", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start");
  await cluster.do("add");
  const before = await cluster.pid("node1");
  await cluster.do("restart", "1");
  assert.notEqual(await cluster.pid("node1"), before);
  assert.deepEqual(
    await cluster.seedsOf(1),
    [2, 3, 4].map((node) => `127.0.0.1:${cluster.cluster + node}`),
  );
});

test("drain waits until the node has left, and says how long it took", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2");
  const pid = await cluster.pid("node2");
  assert.match(await cluster.do("drain", "2"), /^node2 leaves \.\.\.\nnode2 left within \d+\.\d s\n$/);
  assert.ok(!(await processesIn(cluster.run)).includes(pid));
  assert.match(await readFile(path.join(cluster.run, "logs/node2.log"), "utf8"), /node2 has left\n$/);
  assert.match(await cluster.do("status"), /^node2 +- +\S+ +down/m);
  assert.match((await cluster.try("drain", "1")).stderr, /no other node to take over what node1 owns/);
});

test("rolling-restart restarts every node that runs, one after the other", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "4");
  await cluster.do("drain", "4");
  const before = await cluster.pids("node1", "node2", "node3");
  const said = await cluster.do("rolling-restart");
  const lines = [1, 2, 3].map(
    (node) =>
      `node${node} leaves \\.\\.\\.\nnode${node} left within .* s\nnode${node} runs again, after .* s in all\n`,
  );
  assert.match(said, new RegExp(`^${lines.join("")}$`));
  const after = await cluster.pids("node1", "node2", "node3");
  assert.equal(new Set([...before, ...after]).size, 6);
  for (const node of [1, 2, 3]) assert.ok(await isHealthy(cluster.url(node)));
  assert.ok(!(await isHealthy(cluster.url(4))));
});

test("add starts the next node with one running node as its only seed", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2", "--", "--seed", "x:1");
  await cluster.do("kill", "1");
  await cluster.do("add");
  assert.ok(await isHealthy(cluster.url(3)));
  assert.deepEqual(await cluster.seedsOf(3), [`127.0.0.1:${cluster.cluster + 2}`, "x:1"]);
});

test("status tells of each node what it says of itself", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "1");
  const pid = await cluster.pid("node1");
  const [header, row, front] = (await cluster.do("status")).split("\n");
  assert.match(header, /^NODE +PID +HTTP +PHASE +MEMBERS +SHARDS +OWNED +ATTACHED +MOVING$/);
  assert.deepEqual(row.split(/ {2,}/), [
    "node1",
    String(pid),
    cluster.url(1),
    "up",
    "1 up",
    ...["-", "0", "-", "0"],
  ]);
  assert.ok(front.startsWith(`front: http://localhost:${cluster.http}`));
});

test("status does not wait for a node that hangs", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "1");
  const pid = await cluster.pid("node1");
  process.kill(pid, "SIGSTOP");
  assert.match(await cluster.do("status"), /^node1 +\d+ +\S+ +no answer/m);
  process.kill(pid, "SIGCONT");
});

test("logs follows all nodes, also one that is added meanwhile, and leaves nothing behind", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2");
  const logs = spawn(cluster.script, ["logs"], { cwd: cluster.run, env: { ...process.env, ...cluster.env } });
  let seen = "";
  logs.stdout.on("data", (data) => (seen += data));
  await until("both logs are shown", () => seen.includes("node1 is up") && seen.includes("node2 is up"));
  await cluster.do("add");
  await until("the log of the new node is shown", () => seen.includes("node3 is up"));
  logs.kill("SIGTERM");
  const nodes = (await cluster.pids("node1", "node2", "node3")).sort();
  await until(
    "only the nodes are left",
    async () => `${(await processesIn(cluster.run)).sort()}` === `${nodes}`,
  );
});

test("stop ends everything, a node that will not listen too, and may be repeated", async (t) => {
  const cluster = await Cluster.create(t);
  cluster.env.HITHER_STOP_SECONDS = "1";
  await cluster.do("start", "2", "--", "--ignores-sigterm");
  assert.match((await cluster.try("stop")).stderr, /^cluster.sh: node1 did not end within 1 s: killing it$/m);
  assert.deepEqual(await processesIn(cluster.run), []);
  assert.equal(await cluster.do("stop"), "stopped: nothing ran\n");
});

test("a record of a dead process never hits the stranger that has its pid now", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "1");
  const stranger = spawn("sleep", ["1000"], { cwd: cluster.run, detached: true });
  t.after(() => stranger.kill());
  const record = path.join(cluster.run, "pids/node1");
  const [pid, birth] = (await readFile(record, "utf8")).split(" ");
  process.kill(Number(pid), "SIGKILL");
  await writeFile(record, `${stranger.pid} ${birth}`);
  await cluster.do("start", "1");
  assert.notEqual(await cluster.pid("node1"), stranger.pid);
  await writeFile(path.join(cluster.run, "pids/node2"), `${stranger.pid} ${birth}`);
  await cluster.do("stop");
  assert.equal(stranger.exitCode, null);
  assert.ok((await processesIn(cluster.run)).includes(stranger.pid));
  stranger.kill();
  await until("the stranger is gone", () => stranger.signalCode);
});
