import { appendFileSync } from "node:fs";
import { artifactPath } from "../harness/artifacts.ts";
import { Dice } from "./dice.ts";
import { describeFault } from "./fault.ts";
import { whyNoHosts } from "./hosts.ts";
import { ALL_FAULTS, EPISODES, NODE_FAULTS, NODES, plan, type EpisodeName } from "./plan.ts";
import { Trial } from "./trial.ts";

/*
 * Random trials for a while: `soak.ts MINUTES SEED [EPISODE...]`, of all episodes unless some are named. The n-th trial has the seed
 * SEED + n, and `soak.ts 0 SEED + n [EPISODE...]` runs that one alone again. Each is a line in artifacts/faults/soak/trials.jsonl.
 */

const EPISODES_OF_A_TRIAL = 3;

const [minutes = Number.NaN, firstSeed = Number.NaN] = process.argv.slice(2, 4).map(Number);
const named = process.argv.slice(4);
const chosen = EPISODES.filter((name) => named.includes(name));
if (Number.isNaN(minutes) || !Number.isInteger(firstSeed) || chosen.length !== new Set(named).size) {
  console.error("usage: soak.ts MINUTES SEED [EPISODE...], such as 30 1");
  console.error(`episodes: ${EPISODES.join(", ")}`);
  process.exit(2);
}

const noHosts = whyNoHosts();
if (noHosts) console.log(`only faults of nodes, none of the network: ${noHosts}`);

const until = Date.now() + minutes * 60_000;
let passed = 0;
let failed = 0;
let seed = firstSeed;
do {
  const dice = new Dice(seed);
  const hosts = !noHosts && dice.between(0, 2) > 0;
  const episodes = plan(dice, EPISODES_OF_A_TRIAL, possible(hosts));
  const story = episodes
    .map((steps) => steps.map(({ fault }) => describeFault(fault)).join(", "))
    .join("; then ");
  console.log(`seed ${seed}, ${hosts ? "hosts of their own" : "one host"}: ${story}`);
  const outcome = await attempt(seed, hosts, episodes);
  console.log(outcome.error === undefined ? `  passed ${JSON.stringify(outcome.summary)}` : `  FAILED`);
  appendFileSync(artifactPath("trials.jsonl"), `${JSON.stringify({ seed, hosts, story, ...outcome })}\n`);
  if (outcome.error === undefined) passed += 1;
  else failed += 1;
  seed += 1;
} while (Date.now() < until);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** The episodes to draw from. */
function possible(hosts: boolean): readonly EpisodeName[] {
  const possible = hosts ? ALL_FAULTS : NODE_FAULTS;
  const some = possible.filter((name) => named.length === 0 || chosen.includes(name));
  if (some.length === 0) throw new Error(`only nodes on hosts of their own can have: ${named.join(", ")}`);
  return some;
}

async function attempt(
  seed: number,
  hosts: boolean,
  episodes: ReturnType<typeof plan>,
): Promise<{ summary?: object; error?: string }> {
  try {
    const setting = { name: `seed${seed}`, seed, nodes: NODES, guests: 60 };
    return { summary: await Trial.run(hosts ? { ...setting, hosts: "direct" } : setting, episodes) };
  } catch (error) {
    console.error(error);
    return { error: String(error) };
  }
}
