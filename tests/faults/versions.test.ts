import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cluster } from "../harness/cluster.ts";
import { testbed, type Program } from "../harness/programs.ts";
import { within } from "../harness/wait.ts";
import type { Step } from "./fault.ts";
import { Trial } from "./trial.ts";

/** A testbed built with the feature `fault-injection`, which knows the next version of the wire. */
const next = process.env["HITHER_SABOTAGED"];

/** A version comes in three releases: the first speaks it, the second broadcasts it, the third leaves out the older one. */
const RELEASES = ["3-4:3", "3-4:4", "4-4:4"] as const;

function release(versions: string): Program {
  return { command: "env", leadingArgs: [`HITHER_WIRE=${versions}`, next ?? ""] };
}

describe("a new version of the wire", { skip: !next && "HITHER_SABOTAGED names none" }, () => {
  test("is rolled out while 60 people chat, release after release, node after node", async (context) => {
    const rollout = RELEASES.map(release).flatMap((program) =>
      [1, 2, 3].map((node): Step[] => [
        { after: 0, fault: { kind: "drain", node } },
        { after: 0, fault: { kind: "start", node, program } },
      ]),
    );
    const summary = await Trial.run({ name: "rollout", seed: 31, promise: "recovered" }, rollout);
    context.diagnostic(JSON.stringify(summary));
  });

  const strangers = [
    [
      "one that no longer speaks what the others broadcast",
      release("3-4:3"),
      "3-4:3",
      release("4-4:4"),
      "4-4:4",
    ],
    ["one that broadcasts what the others do not speak", testbed(), "3-3:3", release("3-4:4"), "3-4:4"],
    ["one that does not speak what the others do", release("4-4:4"), "4-4:4", testbed(), "3-3:3"],
  ] as const;
  for (const [index, [what, running, theirs, program, ours]] of strangers.entries()) {
    test(`is not mixed with ${what}: it ends, and says what both speak`, async () => {
      const cluster = await Cluster.start({ program: running, size: 2, prefix: `mixed${index}-` });
      try {
        const stranger = await cluster.add(undefined, program);
        const exit = await within(20_000, "the end of a node that does not fit", stranger.child.exited);
        assert.notEqual(exit.code, 0);
        const said = stranger.child.lastLines.filter((line) => line.includes("wire versions")).join("\n");
        assert.ok(said.includes(theirs) && said.includes(ours), said);
        await cluster.settled();
      } finally {
        await cluster.destroy();
      }
    });
  }
});
