// test.sh: counts right, hides nothing. In a copy whose tools are stand-ins that fail on demand.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { BASICS, pathWith, processesIn, root } from "./harness.mjs";

/** How many parts there are: each has a function in test.sh. */
const ALL = readFileSync(path.join(root, "scripts/test.sh"), "utf8").match(/^part_\w+\(\)/gm).length;
const TOOLS = [
  "cargo",
  "npm",
  "node",
  "shellcheck",
  "nginx",
  "haproxy",
  "ip",
  "iptables",
  "ss",
  "postgres",
  "python3",
  "chromium",
  "firefox-esr",
];

/** Notes how it was called, and does what the test said of such a call in `$MISHAPS`: a case list. */
const tool = (name) => `#!/usr/bin/env bash
call="${name} $*"
echo "$call" >>"$CALLS"
source "$MISHAPS"
`;

class Runner {
  static async create(t, { tools = TOOLS, mishaps = {} } = {}) {
    const self = new Runner();
    self.directory = await mkdtemp(path.join(await realpath(tmpdir()), "hither-runner-"));
    t.after(() => rm(self.directory, { recursive: true }));
    self.bin = await pathWith(t, [...BASICS, "cp"]);
    for (const name of tools) await self.add(name, tool(name));
    for (const part of ["scripts", ".ci"]) {
      await cp(path.join(root, part), path.join(self.directory, part), { recursive: true });
    }
    const prettier = path.join(self.directory, "tests/node_modules/.bin/prettier");
    await mkdir(path.dirname(prettier), { recursive: true });
    await writeFile(prettier, "#!/bin/sh\n", { mode: 0o755 });
    const python = path.join(self.directory, "tests/python/install.sh");
    await mkdir(path.dirname(python), { recursive: true });
    await writeFile(python, "#!/bin/sh\n", { mode: 0o755 });
    for (const profile of ["debug", "release"]) {
      const examples = path.join(self.directory, "target", profile, "examples");
      await mkdir(examples, { recursive: true });
      await writeFile(path.join(examples, "testbed"), "");
    }
    const bench = path.join(self.directory, "target/release/hither-bench");
    await writeFile(bench, tool("hither-bench"), { mode: 0o755 });
    const cases = Object.entries(mishaps).map(([call, mishap]) => `"${call}") ${mishap} ;;\n`);
    await writeFile(path.join(self.directory, "mishaps"), `case $call in\n${cases.join("")}*) ;;\nesac\n`);
    return self;
  }

  async add(name, text) {
    await writeFile(path.join(this.bin, name), text);
    await chmod(path.join(this.bin, name), 0o755);
  }

  /** Runs a script of the copy: its exit code, its lines, and its last one. */
  run(script, args = [], env = {}) {
    const settings = {
      PATH: this.bin,
      CALLS: path.join(this.directory, "calls"),
      MISHAPS: path.join(this.directory, "mishaps"),
      BIN: this.bin,
      ...env,
    };
    return new Promise((resolve) => {
      execFile(
        path.join(this.directory, script),
        args,
        { env: settings, cwd: "/" },
        (error, stdout, stderr) => {
          const lines = stdout.trimEnd().split("\n");
          resolve({ code: error ? error.code : 0, lines, last: lines.at(-1), stderr });
        },
      );
    });
  }

  async calls() {
    return (await readFile(path.join(this.directory, "calls"), "utf8")).trim().split("\n");
  }
}

/** The line of the summary about a part: `[result, reason]`. */
const verdict = ({ lines }, part) => {
  const row = lines.findLast((line) => line.startsWith(`${part} `));
  const [, result, reason] = row.match(/^\S+ +(\w+) +\d+ s(?: {2}(.*))?$/);
  return reason === undefined ? [result] : [result, reason];
};

test("all parts pass", async (t) => {
  const runner = await Runner.create(t);
  const result = await runner.run("scripts/test.sh");
  assert.equal(result.code, 0);
  assert.equal(result.last, `${ALL} passed, 0 failed, 0 skipped`);
});

test("a part that fails fails all, and is named", async (t) => {
  const runner = await Runner.create(t, { mishaps: { "cargo fmt --all --check": "exit 3" } });
  const result = await runner.run("scripts/test.sh");
  assert.equal(result.code, 1);
  assert.equal(result.last, `${ALL - 1} passed, 1 failed, 0 skipped`);
  assert.deepEqual(verdict(result, "format"), ["failed", "exit status 3"]);
});

test("a failure in the middle of a part is not covered by what comes after", async (t) => {
  const runner = await Runner.create(t, {
    mishaps: {
      "cargo build --release --locked --package hither-node --package hither --example testbed --features hither/fault-injection":
        "exit 101",
    },
  });
  const result = await runner.run("scripts/test.sh", ["--only", "release"]);
  assert.equal(result.code, 1);
  assert.deepEqual(verdict(result, "release"), ["failed", "exit status 101"]);
});

test("what builds on a part that failed is skipped, and says so", async (t) => {
  const runner = await Runner.create(t, {
    mishaps: { "npm --prefix web ci --no-audit --no-fund": "exit 1" },
  });
  const result = await runner.run("scripts/test.sh");
  assert.equal(result.code, 1);
  assert.deepEqual(verdict(result, "web-build"), ["skipped", "web-packages failed"]);
  assert.deepEqual(verdict(result, "release"), ["skipped", "web-build skipped"]);
  assert.deepEqual(verdict(result, "browser"), ["skipped", "release skipped"]);
  assert.equal(result.last, `${ALL - 13} passed, 1 failed, 12 skipped`);
});

test("a missing program skips its part: fine at a desk, a failure in CI", async (t) => {
  const runner = await Runner.create(t, { tools: TOOLS.filter((name) => name !== "chromium") });
  const desk = await runner.run("scripts/test.sh");
  assert.equal(desk.code, 0);
  assert.equal(desk.last, `${ALL - 1} passed, 0 failed, 1 skipped`);
  assert.deepEqual(verdict(desk, "browser"), [
    "skipped",
    "chromium is missing (Debian: apt install chromium)",
  ]);
  const ci = await runner.run(".ci/run");
  assert.equal(ci.code, 1);
  assert.equal(ci.last, desk.last);
});

test(
  "a missing program is installed by root",
  { skip: process.getuid() !== 0 && "needs root" },
  async (t) => {
    const runner = await Runner.create(t, { tools: TOOLS.filter((name) => name !== "chromium") });
    await runner.add("apt-get", `${tool("apt-get")}[[ $1 == update ]] || ln -s true "$BIN/chromium"\n`);
    await runner.add("ln", '#!/bin/sh\nexec /bin/ln "$@"\n');
    const result = await runner.run("scripts/test.sh", ["--only", "browser"]);
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await runner.calls()).includes("apt-get install -qq --yes --no-install-recommends chromium"));
  },
);

test("--only runs these parts after what they need, and nothing else", async (t) => {
  const runner = await Runner.create(t);
  const result = await runner.run("scripts/test.sh", ["--only", "web-lint", "format"]);
  assert.equal(result.last, "3 passed, 0 failed, 0 skipped");
  assert.deepEqual(await runner.calls(), [
    "cargo fmt --all --check",
    "npm --prefix web ci --no-audit --no-fund",
    "npm --prefix web run lint",
  ]);
});

test("a part that hangs is ended, with what it started", async (t) => {
  const runner = await Runner.create(t, {
    mishaps: { "cargo fmt --all --check": 'cd "${CALLS%/*}" && sleep 1000' },
  });
  const result = await runner.run("scripts/test.sh", ["--only", "format"], { HITHER_PART_SECONDS: "1" });
  assert.equal(result.code, 1);
  assert.deepEqual(verdict(result, "format"), ["failed", "not done after 1 s"]);
  assert.deepEqual(await processesIn(runner.directory), []);
});

test("a part that does not exist is refused", async (t) => {
  const runner = await Runner.create(t);
  const { code, stderr } = await runner.run("scripts/test.sh", ["--only", "format", "dance"]);
  assert.equal(code, 2);
  assert.equal(stderr, "test.sh: there is no part 'dance': see scripts/test.sh --list\n");
});

test("--list names every part", async (t) => {
  const runner = await Runner.create(t);
  const { lines } = await runner.run("scripts/test.sh", ["--list"]);
  assert.equal(lines.length, ALL);
  for (const line of lines) assert.match(line, /^[a-z-]+ {2,}\S.*/);
});
