// cluster.sh: what cannot work gives one clear line, a failure, and no process.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { BASICS, Cluster, isHealthy, pathWith, processesIn } from "./harness.mjs";

/** Runs a command that must be refused with one line that matches. */
const refuses = async (cluster, line, ...command) => {
  const { code, stderr } = await cluster.try(...command);
  assert.equal(code, 1, stderr);
  assert.match(stderr, line);
  assert.match(stderr, /^cluster\.sh: [^\n]+\n$/, "one line");
};

const occupyTcp = async (t, port) => {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
};

const occupyUdp = async (t, port) => {
  const socket = createSocket("udp4").bind(port, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
};

const ports = {
  "the front port": (cluster) => ["tcp", cluster.http],
  "a node's HTTP port": (cluster) => ["tcp", cluster.http + 2],
  "a node's port for operators": (cluster) => ["tcp", cluster.admin + 1],
  "a node's link port": (cluster) => ["tcp", cluster.cluster + 3],
  "a node's gossip port": (cluster) => ["udp", cluster.cluster + 1],
};
for (const [name, port] of Object.entries(ports)) {
  test(`${name} is in use`, async (t) => {
    const cluster = await Cluster.create(t);
    const [protocol, number] = port(cluster);
    await (protocol === "tcp" ? occupyTcp : occupyUdp)(t, number);
    await refuses(cluster, new RegExp(`port ${protocol}:${number} is in use`), "start");
    assert.deepEqual(await processesIn(cluster.run), []);
  });
}

test("a node that ends at once is named with its last words", async (t) => {
  const cluster = await Cluster.create(t);
  const dying = ["start", "1", "--", "--dies-saying", "the moon is wrong"];
  await refuses(
    cluster,
    /node1 ended before it was healthy: node1 the moon is wrong \(.*node1\.log\)/,
    ...dying,
  );
  assert.deepEqual(await processesIn(cluster.run), []);
});

test("a node that never gets healthy is named at the deadline", async (t) => {
  const cluster = await Cluster.create(t);
  cluster.env.HITHER_START_SECONDS = "4";
  await refuses(
    cluster,
    /node1 was not healthy within 4 s: node1 is up/,
    "start",
    "1",
    "--",
    "--never-healthy",
  );
});

test("commands that make no sense", async (t) => {
  const cluster = await Cluster.create(t);
  await refuses(cluster, /there is no command 'dance'/, "dance");
  await refuses(cluster, /'zero' is neither a number of nodes/, "start", "zero");
  await refuses(cluster, /'0' is neither a number of nodes/, "start", "0");
  await refuses(cluster, /--front needs nginx or haproxy/, "start", "--front");
  await refuses(cluster, /--front knows nginx and haproxy, not 'apache'/, "start", "--front", "apache");
  await refuses(cluster, /there is no program at '\/nowhere'/, "start", "--binary", "/nowhere");
  await refuses(cluster, /no cluster runs here/, "status");
  await refuses(cluster, /no node runs that a new one could join/, "add");
  await refuses(cluster, /there is no node1 here/, "kill", "1");
  await refuses(cluster, /kill takes the number of one node/, "kill");
  await refuses(cluster, /'x' is not a node/, "restart", "x");
  await refuses(cluster, /drain takes the number of one node/, "drain");
  await refuses(cluster, /there is no node1 here/, "drain", "1");
  await refuses(cluster, /rolling-restart takes no arguments/, "rolling-restart", "1");
  await refuses(cluster, /two nodes must run at least/, "rolling-restart");
  cluster.env.HITHER_HTTP_BASE = "x";
  await refuses(cluster, /HITHER_HTTP_BASE must be a whole number, not 'x'/, "status");
  cluster.env.HITHER_HTTP_BASE = String(cluster.http);
});

test("commands that make no sense for the cluster that runs", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2");
  await refuses(cluster, /started with another front \(none\): stop them first/, "start", "--front", "nginx");
  await refuses(cluster, /started with another flags/, "start", "--", "--seed", "x:1");
  await refuses(cluster, /started with another binary/, "start", "--binary", "/bin/true");
  await refuses(cluster, /there is no node7 here; known: 1 2$/m, "restart", "7");
  await cluster.do("kill", "2");
  await refuses(cluster, /node2 does not run/, "kill", "2");
});

/** A command that begins well and fails. */
const fails = async (cluster, line, ...command) => {
  const { code, stderr } = await cluster.try(...command);
  assert.equal(code, 1, stderr);
  assert.match(stderr, line);
};

test("a node that does not leave in order is named with its exit status", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2", "--", "--leaves-with", "3");
  await refuses(cluster, /node2 ended with exit status 3: node2 has left \(.*node2\.log\)/, "drain", "2");
  await refuses(cluster, /node2 does not run/, "drain", "2");
});

test("a node that does not leave in time is named, and not killed", async (t) => {
  const cluster = await Cluster.create(t);
  cluster.env.HITHER_STOP_SECONDS = "1";
  await cluster.do("start", "2", "--", "--ignores-sigterm");
  await refuses(cluster, /node2 has not left within 1 s: node2 does not feel like it/, "drain", "2");
  assert.ok(await isHealthy(cluster.url(2)));
});

test("a rolling restart does not go on before the cluster has settled", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2", "--", "--always-moving");
  const before = await cluster.pids("node1", "node2");
  cluster.env.HITHER_START_SECONDS = "1";
  await fails(cluster, /node1: 1 sessions are moving/, "rolling-restart");
  assert.deepEqual(await cluster.pids("node1", "node2"), before);
});

test("a rolling restart ends with the first node that fails", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "2", "--", "--leaves-with", "3");
  const before = await cluster.pid("node2");
  await refuses(cluster, /node1 ended with exit status 3/, "rolling-restart");
  assert.equal(await cluster.pid("node2"), before);
});

test("Node.js is missing", async (t) => {
  const cluster = await Cluster.create(t);
  cluster.env.PATH = await pathWith(t, BASICS);
  await refuses(cluster, /node is missing: install Node\.js 20 or newer/, "start");
  delete cluster.env.PATH;
});

test("status without Node.js still shows the processes", async (t) => {
  const cluster = await Cluster.create(t);
  await cluster.do("start", "1");
  cluster.env.PATH = await pathWith(t, BASICS);
  const { code, stdout, stderr } = await cluster.try("status");
  delete cluster.env.PATH;
  assert.equal(code, 0);
  assert.ok(
    stdout.startsWith(
      `node1 ${await cluster.pid("node1")} ${cluster.url(1)} http://127.0.0.1:${cluster.admin + 1}\n`,
    ),
  );
  assert.match(stderr, /node is missing, so only the processes are shown/);
});
