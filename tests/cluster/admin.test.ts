import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ClusterNode, freeNodePorts, type NodeFlags } from "../harness/node.ts";
import { send } from "../harness/http.ts";
import { hitherNode } from "../harness/programs.ts";
import { within } from "../harness/wait.ts";

/** What tells of the cluster. */
const TELLING = ["/status", "/status/cluster", "/status/feed", "/cluster"];

/** The status of an answer, whether it ends or not. */
async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const stop = new AbortController();
  const { status } = await fetch(url, { headers, signal: stop.signal });
  stop.abort();
  return status;
}

async function started(name: string, flags: NodeFlags): Promise<ClusterNode> {
  const program = hitherNode();
  const node = new ClusterNode({ name, program, seeds: [], flags }, await freeNodePorts());
  node.start();
  await node.sees([name]);
  return node;
}

describe("operators have an address of their own", () => {
  let node: ClusterNode;

  before(async () => {
    node = await started("private", { adminHost: "ops.example" });
  });

  after(async () => {
    await node.kill();
  });

  test("clients are told whether the node is healthy, and nothing else of it", async () => {
    assert.equal((await send(`${node.url}/health`)).headers["link"], undefined);
    for (const path of [...TELLING, "/cluster.html"])
      assert.equal(await statusOf(node.url + path), 404, path);
    assert.equal((await send(`${node.url}/leave`, { method: "POST" })).status, 404);
    // Nor can they watch as its page did once.
    const opened = await send(`${node.url}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse(opened.text.slice(1)) as { sid: string };
    const session = `${node.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    await send(session, { method: "POST", body: "40/cluster," });
    assert.match((await send(session)).text, /^44\/cluster,/);
  });

  test("operators see everything, and are served nothing that is for clients", async () => {
    for (const path of [...TELLING, "/health"]) assert.equal(await statusOf(node.adminUrl + path), 200, path);
    assert.equal((await send(`${node.adminUrl}/leave`, { method: "POST" })).status, 401);
    const { status, headers } = await send(node.adminUrl);
    assert.deepEqual([status, headers.location], [303, "/cluster"]);
    for (const path of ["/socket.io/?EIO=4&transport=polling", "/api/session", "/index.html"])
      assert.equal(await statusOf(node.adminUrl + path), 404, path);
  });

  test("a page that has its own name lead here is refused", async () => {
    const { port } = new URL(node.adminUrl);
    for (const host of ["evil.example", `evil.example:${port}`, `localhost.evil.example:${port}`])
      for (const path of [...TELLING, "/health", "/", "/leave"]) {
        const { status, text } = await send(node.adminUrl + path, { headers: { host } });
        assert.equal(status, 421, `${host} ${path}`);
        assert.match(text, /--admin-host/);
      }
    for (const host of [`localhost:${port}`, "127.0.0.1", `[::1]:${port}`, "ops.example", "OPS.example:80"])
      assert.equal((await send(`${node.adminUrl}/status`, { headers: { host } })).status, 200, host);
  });

  test("a node that shows its cluster to all says so, and is made to leave by operators alone", async () => {
    const open = await started("public", { publicStatus: true });
    try {
      for (const path of TELLING) assert.equal(await statusOf(open.url + path), 200, path);
      assert.equal((await send(`${open.url}/health`)).headers["link"], '</cluster>; rel="status"');
      assert.equal((await send(`${open.url}/leave`, { method: "POST" })).status, 404);
    } finally {
      await open.kill();
    }
  });

  test("who watches does not keep a node from leaving, and is told until the end", async () => {
    const leaving = await started("leaving", { publicStatus: true });
    let looks = 0;
    const watched = [leaving.url, leaving.adminUrl].map(async (url) => {
      const { body } = await fetch(`${url}/status/feed`);
      assert.ok(body);
      let told = "";
      let watches = false;
      for await (const part of body.pipeThrough(new TextDecoderStream())) {
        told += part;
        if (watches || !told.includes("event: members")) continue;
        watches = true;
        looks += 1;
        if (looks === 2) leaving.child.signal("SIGTERM");
      }
      return told;
    });
    for (const told of await within(10_000, "both are told that it was all", Promise.all(watched)))
      assert.match(told, /^event: hello\ndata: \{"node":"leaving"/);
    assert.deepEqual(await leaving.child.exited, { code: 0, signal: null });
  });
});
