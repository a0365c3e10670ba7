import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Program } from "../harness/programs.ts";
import type { Step } from "./fault.ts";
import { Trial } from "./trial.ts";

/** A testbed built with the feature `fault-injection`. */
const sabotaged = process.env["HITHER_SABOTAGED"];

const joinAndLeave: Step[][] = [
  [{ after: 0, fault: { kind: "join" } }],
  [{ after: 1_500, fault: { kind: "drain", node: 4 } }],
];

function making(mistake: "drop" | "repeat", command: string): Program {
  return { command: "env", leadingArgs: [`HITHER_MISTAKE=${mistake}`, command] };
}

describe(
  "a build that makes mistakes on purpose",
  { skip: !sabotaged && "HITHER_SABOTAGED names none" },
  () => {
    const mistakes = [
      ["drop", /\d+ lost/],
      ["repeat", /\d+ doubled/],
    ] as const;
    for (const [mistake, verdict] of mistakes) {
      test(`is caught: one event in a thousand after a handoff, ${mistake}`, async () => {
        const program = making(mistake, sabotaged ?? "");
        const setting = { name: mistake, seed: 30, pause: 60, program, expectsFailure: true };
        await assert.rejects(Trial.run(setting, joinAndLeave), verdict);
      });
    }
  },
);
