import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import tls from "node:tls";
import { Child } from "../harness/child.ts";
import { ask, closeClients, connected, transports, type Transport } from "../harness/client.ts";
import { send } from "../harness/http.ts";
import { ClusterNode, freeNodePorts, loopback } from "../harness/node.ts";
import { freePort } from "../harness/ports.ts";
import { hitherNode, testbed, type Program } from "../harness/programs.ts";
import { until, within } from "../harness/wait.ts";

/** A certificate for this machine that vouches for itself, and its key. */
interface Pair {
  cert: string;
  key: string;
}

let folder: string;

function makePair(name: string): Pair {
  const [cert, key] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", cert], { stdio: "pipe" });
  return { cert, key };
}

/** The name in the certificate that is shown to who connects now. */
async function shown(port: number): Promise<string> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  try {
    await within(
      5_000,
      "a handshake",
      new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject)),
    );
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

async function started(name: string, { command, leadingArgs }: Program, { cert, key }: Pair) {
  const program = { command, leadingArgs: [...leadingArgs, "--tls-cert", cert, "--tls-key", key] };
  const node = new ClusterNode({ name, program, seeds: [], flags: {} }, await freeNodePorts());
  node.start();
  await until(`${name} is healthy`, async () => (await send(`${node.adminUrl}/health`)).status === 200);
  return { node, url: `https://127.0.0.1:${node.ports.http}` };
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "hither-tls-"));
});

after(() => {
  rmSync(folder, { recursive: true });
});

describe("clients come by TLS", () => {
  let node: ClusterNode;
  let url: string;
  let used: Pair;
  let ca: Buffer;

  before(async () => {
    const first = makePair("first");
    used = { cert: path.join(folder, "used.crt"), key: path.join(folder, "used.key") };
    copyFileSync(first.cert, used.cert);
    copyFileSync(first.key, used.key);
    ca = readFileSync(first.cert);
    ({ node, url } = await started("secure", testbed(), used));
  });

  after(async () => {
    closeClients();
    await node.kill();
  });

  test("polling, by WebSocket and by upgrade", async () => {
    for (const transport of Object.keys(transports) as Transport[]) {
      const socket = await connected(url, transport, { ca: ca.toString() });
      const large = "x".repeat(500_000);
      assert.equal(await ask(socket, "echo", large), large, transport);
      socket.disconnect();
    }
  });

  test("a page of the node's own origin is served, and one of the same host without TLS is not", async () => {
    const status = (origin: string) =>
      new Promise((resolve, reject) => {
        const target = `${url}/socket.io/?EIO=4&transport=polling`;
        https
          .get(target, { ca, headers: { origin } }, (answer) => {
            answer.resume();
            resolve(answer.statusCode);
          })
          .once("error", reject);
      });
    assert.equal(await status(url), 200);
    assert.equal(await status(url.replace("https:", "http:")), 403);
  });

  test("HTTP/1.1 is what is spoken, whatever else is offered", async () => {
    const socket = tls.connect({
      ...{ host: "127.0.0.1", port: node.ports.http, ca },
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    assert.equal(socket.alpnProtocol, "http/1.1");
    socket.destroy();
  });

  test("who speaks plain HTTP is told", async () => {
    const { status, text } = await send(`http://127.0.0.1:${node.ports.http}/health`);
    assert.equal(status, 400);
    assert.match(text, /https:\/\//);
  });

  test("a new pair is for new connections, open ones go on, and a bad one changes nothing", async () => {
    const polling = await connected(url, "polling", { ca: ca.toString() });
    const socket = await connected(url, "websocket", { ca: ca.toString() });
    const log = () => readFileSync(node.child.logPath, "utf8");

    // Half of an exchange, for longer than one takes: the key is not that of the certificate.
    const second = makePair("second");
    copyFileSync(second.cert, used.cert);
    await until("the node says why it keeps the old one", () =>
      /the certificate stays as it is.*--tls-key/.test(log()),
    );
    assert.equal(await shown(node.ports.http), "first");
    copyFileSync(second.key, used.key);
    await until("the new one is shown", async () => (await shown(node.ports.http)) === "second");
    await until("the node says so", () => log().includes("certificate read again"));

    writeFileSync(used.cert, "no certificate\n");
    await until("the node says why it keeps the second", () => /--tls-cert .*no certificate/.test(log()));
    assert.equal(await shown(node.ports.http), "second");
    assert.equal(await ask(socket, "echo", "still there"), "still there");
    assert.equal(polling.connected, true);
  });

  test("a node that leaves says goodbye to WebSockets", async () => {
    const leaving = await started("leaving", testbed(), makePair("leaving"));
    const options = { rejectUnauthorized: false, reconnection: false };
    const clients = await Promise.all(
      (["websocket", "upgrade"] as const).map((transport) => connected(leaving.url, transport, options)),
    );
    const gone = clients.map((socket) => new Promise((resolve) => socket.once("disconnect", resolve)));
    leaving.node.child.signal("SIGTERM");
    await within(10_000, "all are sent away", Promise.all(gone));
    await leaving.node.kill();
  });
});

test("login cookies are for TLS alone", async () => {
  const pair = makePair("chat");
  const { node, url } = await started("chat", hitherNode(), pair);
  try {
    const cookies = await new Promise<string[]>((resolve, reject) => {
      const headers = { "content-type": "application/json", origin: url };
      const options = { method: "POST", ca: readFileSync(pair.cert), headers };
      https
        .request(`${url}/api/session/guest`, options, (answer) => {
          answer.resume();
          resolve(answer.headers["set-cookie"] ?? []);
        })
        .once("error", reject)
        .end(JSON.stringify({ name: "Ada" }));
    });
    assert.match(cookies.join("\n"), /; Secure/);
  } finally {
    await node.kill();
  }
});

describe("a node whose certificate cannot be used does not start, and says why in one line", () => {
  async function complaint(...flags: string[]): Promise<string> {
    const { command, leadingArgs } = testbed();
    const addresses = ["--http", loopback(await freePort()), "--cluster", loopback(await freePort())];
    const child = new Child("failing", { program: command, args: [...leadingArgs, ...addresses, ...flags] });
    const { code } = await within(10_000, "the node gives up", child.exited);
    assert.equal(code, 2);
    const lines = child.lastLines.filter((line) => line.trim() !== "");
    assert.equal(lines.length, 1, lines.join("\n"));
    return lines[0] ?? "";
  }

  test("the key of another certificate, none at all, no file, one without the other", async () => {
    const [pair, other] = [makePair("one"), makePair("other")];
    const missing = path.join(folder, "missing");
    assert.match(await complaint("--tls-cert", pair.cert, "--tls-key", other.key), /another certificate/);
    assert.match(
      await complaint("--tls-cert", pair.cert, "--tls-key", pair.cert),
      /--tls-key .*no private key/,
    );
    assert.match(
      await complaint("--tls-cert", pair.key, "--tls-key", pair.key),
      /--tls-cert .*no certificate/,
    );
    assert.match(await complaint("--tls-cert", missing, "--tls-key", pair.key), /--tls-cert .*missing: /);
    assert.match(await complaint("--tls-cert", pair.cert), /--tls-key/);
  });
});

test("a node does not wait for ever for a handshake", async () => {
  const { node } = await started("patient", testbed(), makePair("patient"));
  const silent = new http.Agent({ keepAlive: true });
  try {
    const socket = silent.createConnection({ host: "127.0.0.1", port: node.ports.http });
    assert.ok(socket);
    await within(30_000, "it is sent away", new Promise((resolve) => socket.once("close", resolve).resume()));
  } finally {
    silent.destroy();
    await node.kill();
  }
});
