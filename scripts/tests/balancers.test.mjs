// deploy/nginx.conf and deploy/haproxy.cfg: what Hither needs of a balancer. Started as their first lines say, with only
// the ports replaced, in front of three nodes that are played here.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { freePorts, isHealthy, root, until } from "./harness.mjs";

/** Commands in the foreground; `nobody` may run them. */
const balancers = {
  nginx: {
    file: "nginx.conf",
    command: (config, directory) => ["nginx", "-p", directory, "-c", config, "-e", "stderr"],
  },
  haproxy: { file: "haproxy.cfg", command: (config) => ["haproxy", "-db", "-f", config] },
};

/** RFC 6455, section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HANDSHAKE = [
  "GET /socket.io/ HTTP/1.1",
  "Host: chat.example",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

/** Three nodes that note what reaches them, and answer with their number unless a test says otherwise. */
class Nodes {
  /** What reached which node: `{ node, method, url, headers, body }`. */
  seen = [];
  healthy = new Set([1, 2, 3]);
  answer = (node, _request, response) => response.end(String(node));
  upgrade = (_node, _request, socket) => socket.destroy();

  #servers = new Map();
  #sockets = new Set();
  #base;

  constructor(base) {
    this.#base = base;
  }

  async start(node) {
    const server = createServer((request, response) => this.#serve(node, request, response));
    server.on("upgrade", (request, socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      this.upgrade(node, request, socket);
    });
    server.listen(this.#base + node, "127.0.0.1");
    await once(server, "listening");
    this.#servers.set(node, server);
  }

  /** From now on connections are refused; WebSockets live on. */
  stop(node) {
    this.#servers.get(node).close();
    this.#servers.get(node).closeAllConnections();
  }

  end() {
    for (const node of this.#servers.keys()) this.stop(node);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** How many requests other than for health reached each node. */
  get counts() {
    return [1, 2, 3].map((node) => this.seen.filter((one) => one.node === node).length);
  }

  #serve(node, request, response) {
    if (request.url === "/health") return response.writeHead(this.healthy.has(node) ? 200 : 503).end();
    const entry = { node, method: request.method, url: request.url, headers: request.headers, body: "" };
    this.seen.push(entry);
    request.on("data", (data) => (entry.body += data));
    request.on("error", () => {});
    return this.answer(node, request, response);
  }
}

/** Starts nodes and the balancer, and waits until all three nodes are in turn. */
const setUp = async (t, name) => {
  const base = await freePorts(4);
  const nodes = new Nodes(base);
  t.after(() => nodes.end());
  for (const node of [1, 2, 3]) await nodes.start(node);

  const { file, command } = balancers[name];
  const directory = await mkdtemp(path.join(await realpath(tmpdir()), "hither-balancer-"));
  const config = path.join(directory, file);
  const text = await readFile(path.join(root, "deploy", file), "utf8");
  await writeFile(
    config,
    text.replaceAll(/127\.0\.0\.1:900(\d)/g, (_, digit) => `127.0.0.1:${base + Number(digit)}`),
  );
  const [program, ...args] = command(config, directory);
  const balancer = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [balancer.stdout, balancer.stderr]) stream.on("data", (data) => (said += data));
  t.after(async () => {
    balancer.kill("SIGTERM");
    if (balancer.exitCode === null) await once(balancer, "exit");
    await rm(directory, { recursive: true });
  });
  const url = `http://127.0.0.1:${base}`;
  await until(`${name} answers`, () => {
    assert.equal(balancer.exitCode, null, said);
    return isHealthy(url);
  });
  /** All that it has logged: HAProxy says it, nginx has a file for requests. */
  const log = async () => said + (await readFile(path.join(directory, "access.log"), "utf8").catch(() => ""));
  return { nodes, url, port: base, log };
};

/** One request; resolves to `{ status, body }`. `agent` keeps the connection to the balancer. */
const ask = (url, { method = "GET", body, headers, agent } = {}) =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent }, (response) => {
      let text = "";
      response.on("data", (data) => (text += data));
      response.on("end", () =>
        resolve({ status: response.statusCode, body: text, headers: response.headers }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });

/** A node's answer to an upgrade: it takes it, and echoes. */
const echo = (_node, { headers }, socket) => {
  const accept = createHash("sha1")
    .update(headers["sec-websocket-key"] + WEBSOCKET_GUID)
    .digest("base64");
  const { connection, upgrade } = headers;
  const answer = ["HTTP/1.1 101 Switching Protocols", `Connection: ${connection}`, `Upgrade: ${upgrade}`];
  socket.write([...answer, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
  socket.on("data", (data) => socket.write(`echo ${data}`));
  socket.on("error", () => {});
};

/** Asks for a WebSocket, and waits for the answer. */
const openWebSocket = async (t, port) => {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const opened = { socket, received: "" };
  socket.on("data", (data) => (opened.received += data));
  socket.write(HANDSHAKE);
  await until("the answer to the upgrade is here", () => opened.received.includes("\r\n\r\n"));
  return opened;
};

for (const name of Object.keys(balancers)) {
  test(`${name}: each request of one client connection goes to the next node`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const turns = [];
    for (let turn = 0; turn < 6; turn++) turns.push((await ask(url, { agent })).body);
    assert.deepEqual(turns.slice(0, 3).toSorted(), ["1", "2", "3"]);
    assert.deepEqual(turns.slice(3), turns.slice(0, 3));
    assert.deepEqual(nodes.counts, [2, 2, 2]);
  });

  test(`${name}: a node that cannot be reached costs no request, and no POST comes twice`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    nodes.stop(2);
    const bodies = Array.from({ length: 12 }, (_, number) => `message ${number}`);
    for (const body of bodies) assert.equal((await ask(url, { method: "POST", body })).status, 200);
    assert.deepEqual(
      nodes.seen.map(({ body }) => body),
      bodies,
    );
  });

  test(`${name}: a POST that reached a node which then died is not sent again`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    nodes.answer = (_node, request) => request.on("end", () => request.socket.destroy());
    const { status } = await ask(url, { method: "POST", body: "once" });
    assert.equal(status, 502);
    assert.equal(nodes.seen.length, 1);
  });

  test(`${name}: a GET whose node died without an answer is asked of another`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    let deaths = 0;
    nodes.answer = (node, request, response) => {
      if (deaths++ === 0) request.socket.destroy();
      else response.end(String(node));
    };
    assert.equal((await ask(url)).status, 200);
    assert.equal(new Set(nodes.seen.map(({ node }) => node)).size, 2);
  });

  test(`${name}: a WebSocket is upgraded, and bytes go both ways`, async (t) => {
    const { nodes, port } = await setUp(t, name);
    nodes.upgrade = echo;
    const opened = await openWebSocket(t, port);
    assert.match(opened.received, /^HTTP\/1\.1 101 [^\r]*\r\n(.*\r\n)*connection: upgrade\r\n/i);
    assert.match(opened.received, /\r\nupgrade: websocket\r\n/i);
    opened.socket.write("one");
    await until("the echo is here", () => opened.received.endsWith("echo one"));
  });

  test(`${name}: a client that gives up its poll is gone for the node too`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    let cancelled = false;
    nodes.answer = (_node, request) => request.socket.on("close", () => (cancelled = true));
    const poll = request(url).on("error", () => {});
    poll.end();
    await until("the poll hangs", () => nodes.seen.length === 1);
    assert.equal(cancelled, false);
    poll.destroy();
    await until("the node knows", () => cancelled);
    assert.equal(nodes.seen.length, 1);
  });

  test(`${name}: a node that refuses a huge body is heard before it has been sent`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    // It lingers: a node that closed at once, with data unread, would reset the connection under its own answer.
    nodes.answer = (_node, _request, response) =>
      response.writeHead(413, { "content-length": 9 }).write("too large");
    const sent = request(url, { method: "POST", headers: { "content-length": 1e9 } });
    sent.on("error", () => {});
    sent.write(Buffer.alloc(100_000));
    const [response] = await once(sent, "response");
    assert.equal(response.statusCode, 413);
    sent.destroy();
  });

  test(`${name}: logs show the beginning of a session id, which is a credential, and no more`, async (t) => {
    const { nodes, url, log } = await setUp(t, name);
    await ask(`${url}/socket.io/?EIO=4&sid=abcdefghijkl&transport=polling`);
    assert.match(nodes.seen[0].url, /sid=abcdefghijkl&/, "the node has all of it");
    nodes.stop(1);
    for (let turn = 0; turn < 3; turn++) await ask(`${url}/socket.io/?sid=mnopqrstuvwx`);
    await until("both are logged", async () =>
      /\?EIO=4&sid=abcdef\.\.\.&transport=polling HTTP[^]*\?sid=mnopqr\.\.\. HTTP/.test(await log()),
    );
    assert.doesNotMatch(await log(), /abcdefg|mnopqrs/);
  });

  test(`${name}: the node learns the client's address and host, and no address that a client made up`, async (t) => {
    const { nodes, url } = await setUp(t, name);
    await ask(url, {
      headers: {
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-host": "made-up.example",
        host: "chat.example:1234",
      },
    });
    const { headers } = nodes.seen[0];
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(headers["x-forwarded-proto"], "http");
    assert.equal(headers["x-forwarded-host"], "chat.example:1234");
    assert.equal(headers.host, "chat.example:1234");
  });
}

test("nginx: nodes that have refused once, as in a rolling restart, get WebSockets again at once", async (t) => {
  const { nodes, port } = await setUp(t, "nginx");
  const upgraded = [];
  nodes.upgrade = (node, request, socket) => {
    upgraded.push(node);
    echo(node, request, socket);
  };
  const openThree = async () => {
    upgraded.length = 0;
    for (let turn = 0; turn < 3; turn++) {
      const { received } = await openWebSocket(t, port);
      assert.match(received, /^HTTP\/1\.1 101 /);
    }
    return upgraded.toSorted();
  };
  for (const node of [1, 2, 3]) {
    nodes.stop(node);
    assert.ok(!(await openThree()).includes(node));
    await nodes.start(node);
  }
  assert.deepEqual(await openThree(), [1, 2, 3]);
});

test("haproxy: a node that says it is not up gets no new requests, and gets them again when it is", async (t) => {
  const { nodes, url } = await setUp(t, "haproxy");
  const whoAnswers = async () => {
    const names = new Set();
    for (let turn = 0; turn < 6; turn++) names.add((await ask(url)).body);
    return [...names].toSorted().join();
  };
  nodes.healthy.delete(2);
  await until("node 2 is left out", async () => (await whoAnswers()) === "1,3");
  nodes.healthy.add(2);
  await until("node 2 is back", async () => (await whoAnswers()) === "1,2,3");
});
