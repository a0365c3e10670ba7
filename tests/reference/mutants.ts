/** Runs tests against the reference server with one fault after the other; every fault must make a test fail. */
import { spawnSync } from "node:child_process";
import { suiteRoot } from "../harness/artifacts.ts";
import { faults } from "./faults.ts";

let escaped = 0;
for (const [name, { caughtBy }] of Object.entries(faults)) {
  const [folder = "", file = ""] = caughtBy.split("/");
  const { status, stdout } = spawnSync("sh", ["run.sh", folder, file], {
    cwd: suiteRoot,
    encoding: "utf8",
    env: { ...process.env, HITHER_TARGET: "reference", HITHER_FAULT: name },
  });
  const failed = [...new Set(stdout.split("failing tests:")[1]?.match(/^✖ .*(?= \()/gm))];
  const caught = status !== 0 && failed.length > 0;
  if (!caught) escaped += 1;
  console.log(`${caught ? "caught" : "ESCAPED"}: ${name} (${caughtBy})`);
  for (const test of failed) console.log(`    ${test}`);
}
console.log(`${Object.keys(faults).length - escaped} of ${Object.keys(faults).length} faults caught`);
process.exitCode = escaped === 0 ? 0 : 1;
