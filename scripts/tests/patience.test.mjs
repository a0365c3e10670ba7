// cluster.sh: how long it waits for a node to end.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { root } from "./harness.mjs";

/** What `stop_seconds` says for a cluster whose nodes were started with these flags. */
const patience = (t, flags, setting = "") => {
  const choices = mkdtempSync(path.join(tmpdir(), "hither-choices-"));
  t.after(() => rmSync(choices, { recursive: true }));
  writeFileSync(path.join(choices, "flags"), flags.map((flag) => `${flag}\n`).join(""));
  const script = 'say() { printf "%s\\n" "$*"; }; source scripts/cluster/choices.sh; stop_seconds';
  const env = { ...process.env, CHOICES: choices, STOP_SECONDS: setting };
  return Number(execFileSync("bash", ["-euc", script], { cwd: root, env }));
};

test("a node may take somewhat longer than it gives itself", (t) => {
  assert.equal(patience(t, []), 42);
  assert.equal(patience(t, ["--log", "debug", "--leave-timeout", "5s"]), 17);
  assert.equal(patience(t, ["--leave-timeout=2m", "--log", "debug"]), 132);
  assert.equal(patience(t, ["--leave-timeout", "2500ms"]), 14);
  assert.equal(patience(t, ["--leave-timeout", "08s"]), 20);
  assert.equal(patience(t, ["--leave-grace", "20s", "--leave-timeout=5s"]), 35);
});

test("who sets the patience has his way", (t) => {
  assert.equal(patience(t, ["--leave-timeout", "5s"], "3"), 3);
});
