// dependencies/npm-locks.mjs: finds what is wrong with a package-lock.json.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { root } from "./harness.mjs";

const FINE = { version: "1.0.0", integrity: "sha512-abc=", license: "MIT" };

/** What the check says of lock files with these packages, and its exit code. */
async function check(t, packages, lockfileVersion = 3) {
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), "hither-locks-"));
  t.after(() => rm(folder, { recursive: true }));
  const lock = { lockfileVersion, packages: { "": { name: "us" }, ...packages } };
  await writeFile(path.join(folder, "package-lock.json"), JSON.stringify(lock));
  const program = path.join(root, "scripts/dependencies/npm-locks.mjs");
  return new Promise((resolve) => {
    execFile(process.execPath, [program, folder], (error, _, stderr) => {
      const said = stderr.trim().replaceAll(path.join(folder, "package-lock.json: "), "");
      resolve({ code: error ? error.code : 0, said: said === "" ? [] : said.split("\n") });
    });
  });
}

test("a lock file in order passes", async (t) => {
  const packages = {
    "node_modules/one": FINE,
    "node_modules/one/node_modules/@scope/two": { ...FINE, license: "Apache-2.0" },
    "node_modules/tool": { ...FINE, license: "MPL-2.0", dev: true },
  };
  assert.deepEqual(await check(t, packages), { code: 0, said: [] });
});

for (const [title, about, said] of [
  ["without a digest", { integrity: undefined }, "has no digest by SHA-512"],
  ["with a weak digest", { integrity: "sha1-abc=" }, "has no digest by SHA-512"],
  ["from somewhere", { resolved: "git+ssh://a.example/b" }, "is bound to come from git+ssh://a.example/b"],
  ["of no licence", { license: undefined }, "names no licence: read it, and add it to READ_BY_HAND"],
  [
    "of a licence for tools only",
    { license: "MPL-2.0" },
    "has the licence MPL-2.0, which is not allowed for what ships or runs",
  ],
  ["of another licence", { license: "GPL-3.0", dev: true }, "has the licence GPL-3.0, which is not allowed"],
])
  test(`a package ${title} is named`, async (t) => {
    const result = await check(t, {
      "node_modules/fine": FINE,
      "node_modules/@a/b": { ...FINE, ...about },
    });
    assert.deepEqual(result, { code: 1, said: [`@a/b@1.0.0 ${said}`] });
  });

test("a lock file without packages, or of another version, is refused", async (t) => {
  assert.equal((await check(t, {})).code, 1);
  assert.equal((await check(t, { "node_modules/one": FINE }, 1)).code, 1);
});
