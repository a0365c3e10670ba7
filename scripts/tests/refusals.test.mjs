// cluster.sh: what cannot work gives one clear line, a failure, and no process.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { BASICS, Cluster, pathWith, processesIn } from "./harness.mjs";

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
  cluster.env.HITHER_START_SECONDS = "1";
  await refuses(
    cluster,
    /node1 was not healthy within 1 s: node1 is up/,
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
  assert.ok(stdout.startsWith(`node1 ${await cluster.pid("node1")} ${cluster.url(1)}\n`));
  assert.match(stderr, /node is missing, so only the processes are shown/);
});
