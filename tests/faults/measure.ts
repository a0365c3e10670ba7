import { Trial, type Setting } from "./trial.ts";
import type { Step } from "./fault.ts";

/*
 * Figures for RESULTS.md, one line of JSON each: `node --import tsx faults/measure.ts NAME…`, all unless named. Not part of
 * the tests: they say nothing on a machine that has other things to do.
 */

/** 1,000 sessions that say about 1,000 messages a second in all. */
const CROWD = { guests: 1_000, pause: 1_333 };

const join: Step[] = [{ after: 2_000, fault: { kind: "join" } }];
const leave: Step[] = [{ after: 2_000, fault: { kind: "drain", node: 4 } }];

const figures: Record<string, { setting: Omit<Setting, "name">; groups: Step[][] }> = {
  "join-and-leave": { setting: { seed: 100, ...CROWD }, groups: [join, leave] },
  crash: {
    setting: { seed: 101 },
    groups: [1, 2, 3].flatMap((node): Step[][] => [
      [{ after: 500, fault: { kind: "kill", node } }],
      [{ after: 500, fault: { kind: "start", node } }],
    ]),
  },
  silence: {
    setting: { seed: 102 },
    groups: [
      [
        { after: 500, fault: { kind: "freeze", node: 2 } },
        { after: 60_000, fault: { kind: "thaw", node: 2 } },
      ],
    ],
  },
  "rolling-restart": {
    setting: { seed: 103 },
    groups: [1, 2, 3].map((node): Step[] => [
      { after: 500, fault: { kind: "drain", node } },
      { after: 0, fault: { kind: "start", node } },
    ]),
  },
};

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(figures);
let failed = false;
for (const name of chosen) {
  const figure = figures[name];
  if (!figure) throw new Error(`there is no '${name}': ${Object.keys(figures).join(", ")}`);
  try {
    const summary = await Trial.run({ name, ...figure.setting }, figure.groups);
    console.log(JSON.stringify({ name, seed: figure.setting.seed, ...summary }));
  } catch (error) {
    failed = true;
    console.log(JSON.stringify({ name, seed: figure.setting.seed, error: String(error) }));
  }
}
process.exit(failed ? 1 : 0);
