import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { suiteRoot } from "../harness/artifacts.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Person } from "./person.ts";

const SCHEMATHESIS = path.join(suiteRoot, "python", ".venv", "bin", "schemathesis");
const CASES_PER_OPERATION = 40;
const NOT_LONGER_THAN_MS = 240_000;

describe("the API for programs", () => {
  let cluster: Cluster | undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "hither-openapi-"));

  afterEach(async () => {
    closeClients();
    await cluster?.destroy();
    rmSync(folder, { recursive: true });
  });

  test("does what its description says, and refuses as described what the description forbids", async (context) => {
    if (!existsSync(SCHEMATHESIS)) throw new Error("schemathesis is missing: run 'sh python/install.sh'");
    cluster = await Cluster.start({ program: hitherNode(), size: 1 });
    const [url = ""] = cluster.urls;
    const ada = await Person.member(url);
    const { room } = await ada.create();
    await ada.say(room, "hello");
    const { token = "" } = await ada.browser.must("/api/account/token", {});
    const { path: hook = "" } = await ada.must("webhook.create", { room, name: "hook" });
    writeFileSync(path.join(folder, "schemathesis.toml"), configuration(room, path.basename(hook)));

    const seed = Number(process.env["HITHER_SEED"] ?? 1);
    context.diagnostic(`HITHER_SEED=${seed}`);
    const { stdout } = await promisify(execFile)(
      SCHEMATHESIS,
      [
        ...["--config-file", "schemathesis.toml", "run", `${url}/api/openapi.json`],
        ...["--header", `Authorization: Bearer ${token}`],
        ...["--max-examples", String(CASES_PER_OPERATION), "--seed", String(seed), "--continue-on-failure"],
      ],
      { cwd: folder, timeout: NOT_LONGER_THAN_MS, maxBuffer: 16 << 20 },
    ).catch((error: unknown) => {
      // What it has found stands in what it prints.
      throw new Error(String((error as { stdout?: string }).stdout), { cause: error });
    });
    const cases = /(\d+) generated/.exec(stdout)?.[1];
    assert.ok(Number(cases) > 200, stdout);
    context.diagnostic(`${cases} requests`);
    assert.ok((await ada.history(room)).length > 10, "nothing was said by it");
  });
});

/** What a description cannot say: a room and a webhook that are there, and two more reasons to refuse. */
function configuration(room: string, secret: string): string {
  const accepted = (...more: number[]) =>
    `checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 429, ${more.join()}]`;
  return `
[[operations]]
include-name = "GET /api/v1/rooms/{room}/messages"
parameters = { "path.room" = "${room}" }
# With both before and after.
${accepted(400)}

[[operations]]
include-name = "POST /api/v1/rooms/{room}/messages"
parameters = { "path.room" = "${room}" }
# With more bytes than the server takes.
${accepted(413)}

[[operations]]
include-name = "POST /api/hooks/{secret}"
parameters = { "path.secret" = "${secret}" }
${accepted(413)}
`;
}
