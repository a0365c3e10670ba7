/** The browser's side of Socket.IO, from the server: npm's package, byte by byte. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { suiteRoot } from "../harness/artifacts.ts";
import { send } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";

const packageFolder = path.join(suiteRoot, "node_modules", "socket.io-client");
const { version } = JSON.parse(readFileSync(path.join(packageFolder, "package.json"), "utf8")) as {
  version: string;
};

const names = ["socket.io", "socket.io.min", "socket.io.esm.min"].flatMap((name) => [
  `${name}.js`,
  `${name}.js.map`,
]);

onEveryTarget("The client's bundle", {}, (server) => {
  for (const name of names) {
    test(`${name} is that of the package`, async () => {
      const wanted = readFileSync(path.join(packageFolder, "dist", name));
      const plain = await send(`${server.socketio}${name}`);
      assert.equal(plain.status, 200);
      assert.ok(plain.body.equals(wanted), "another file");
      const type = name.endsWith(".map")
        ? /^application\/json; charset=utf-8$/
        : /^(text|application)\/javascript; charset=utf-8$/;
      assert.match(plain.headers["content-type"] ?? "", type);
      const packed = await send(`${server.socketio}${name}?t=1`, { headers: { "accept-encoding": "gzip" } });
      assert.equal(packed.headers["content-encoding"], "gzip");
      assert.ok(gunzipSync(packed.body).equals(wanted), "another file when packed");
      for (const { headers } of [plain, packed]) {
        const tag = headers.etag ?? "";
        assert.ok(tag.startsWith(`"${version}`), tag);
        assert.equal(headers["cache-control"], "public, max-age=0");
        for (const known of [tag, `W/${tag}`]) {
          const again = await send(`${server.socketio}${name}`, { headers: { "if-none-match": known } });
          assert.deepEqual([again.status, again.body.length], [304, 0]);
        }
      }
    });
  }

  test("what is no file of it is a request for a session", async () => {
    for (const name of ["socket.io.css", "socket.io.js/", "more/socket.io.js"]) {
      assert.equal((await send(`${server.socketio}${name}`)).status, 400, name);
    }
    assert.equal((await send(`${server.socketio}socket.io.js`, { method: "HEAD" })).status, 200);
  });

  test("Engine.IO alone has none", async () => {
    assert.equal((await send(`${server.engine}socket.io.js`)).status, 400);
  });
});

onEveryTarget("The client's bundle, for pages of another origin", { corsOrigin: "*" }, (server) => {
  test("may be loaded", async () => {
    const headers = { origin: "https://elsewhere.example" };
    const answer = await send(`${server.socketio}socket.io.js`, { headers });
    assert.equal(answer.headers["access-control-allow-origin"], "*");
  });
});

onEveryTarget("The client's bundle, turned off", { noClientBundle: true }, (server) => {
  test("is not there", unlikeReference("started with it"), async () => {
    for (const name of names) assert.equal((await send(`${server.socketio}${name}`)).status, 400);
  });
});
