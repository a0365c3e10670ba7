// cluster.sh start: builds what has changed, and stops at a build that fails. In a copy of the repository whose npm and
// cargo are stand-ins.

import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Cluster, isHealthy, root, standIn } from "./harness.mjs";

/** Notes its arguments, then does what the real one would leave behind. */
const npm = `#!/bin/sh
echo "npm $3" >>"$CALLS"
case $3 in
  ci) mkdir -p "$2/node_modules" && touch "$2/node_modules/.package-lock.json" ;;
  run) mkdir -p "$2/dist" && touch "$2/dist/index.html" ;;
esac
`;
const cargo = `#!/bin/sh
echo "cargo $1" >>"$CALLS"
mkdir -p "$REPOSITORY/target/release" && cp ${standIn} "$REPOSITORY/target/release/hither"
`;

class Repository {
  static async create(t) {
    const self = new Repository();
    self.directory = await mkdtemp(path.join(await realpath(tmpdir()), "hither-repository-"));
    for (const part of ["scripts", "deploy"]) {
      await cp(path.join(root, part), path.join(self.directory, part), { recursive: true });
    }
    await mkdir(self.path("web"));
    await mkdir(self.path("bin"));
    await writeFile(self.path("web/package-lock.json"), "{}");
    await writeFile(self.path("web/page.ts"), "first");
    await writeFile(self.path("calls"), "");
    await self.tool("npm", npm);
    await self.tool("cargo", cargo);
    self.cluster = await Cluster.create(t, {
      script: self.path("scripts/cluster.sh"),
      env: {
        PATH: `${self.path("bin")}:${process.env.PATH}`,
        REPOSITORY: self.directory,
        CALLS: self.path("calls"),
        CARGO_TARGET_DIR: "",
        HITHER_BINARY: "",
      },
    });
    // After the cluster, which needs its script to stop.
    t.after(() => rm(self.directory, { recursive: true }));
    return self;
  }

  path(...parts) {
    return path.join(this.directory, ...parts);
  }

  async tool(name, text) {
    await writeFile(this.path("bin", name), text);
    await chmod(this.path("bin", name), 0o755);
  }

  /** What was called since the last time this was asked. */
  async calls() {
    const text = await readFile(this.path("calls"), "utf8");
    await writeFile(this.path("calls"), "");
    return text.trim().split("\n");
  }
}

test("the first start builds the web client and the server, the next builds only what has changed", async (t) => {
  const repository = await Repository.create(t);
  const { cluster } = repository;
  await cluster.do("start", "1");
  assert.ok(await isHealthy(cluster.url(1)));
  assert.deepEqual(await repository.calls(), ["npm ci", "npm run", "cargo build"]);

  await cluster.do("start", "1");
  assert.deepEqual(await repository.calls(), ["cargo build"]);

  await writeFile(repository.path("web/page.ts"), "second");
  await cluster.do("start", "1");
  assert.deepEqual(await repository.calls(), ["npm run", "cargo build"]);

  await writeFile(repository.path("web/package-lock.json"), '{ "new": true }');
  await cluster.do("start", "1");
  assert.deepEqual(await repository.calls(), ["npm ci", "npm run", "cargo build"]);
});

test("a given binary is started as it is, and stays that of the cluster", async (t) => {
  const repository = await Repository.create(t);
  await repository.cluster.do("start", "1", "--binary", standIn);
  await repository.cluster.do("start", "2");
  assert.deepEqual(await repository.calls(), [""]);
});

for (const [tool, broken, line] of [
  [
    "cargo",
    "echo Compiling; echo 'error[E0308]: mismatched types'; exit 101",
    /did not build: error\[E0308\]: mismatched types \(/,
  ],
  [
    "npm",
    "echo 'npm error no such version'; exit 1",
    /packages of the web client could not be installed: npm error no such/,
  ],
]) {
  test(`a ${tool} that fails ends the start with its first error`, async (t) => {
    const repository = await Repository.create(t);
    await repository.tool(tool, `#!/bin/sh\n${broken}\n`);
    const { code, stderr } = await repository.cluster.try("start");
    assert.equal(code, 1);
    assert.match(stderr, line);
    assert.match(stderr, /^cluster\.sh: [^\n]+build\.log\)\n$/);
  });
}
