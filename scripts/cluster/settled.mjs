// settled.mjs SECONDS: reads lines of `name url`, and waits until these nodes are healthy, see exactly each other up, and
// have no session that moves. Says what is still missing, and fails, when the time is up.

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 2000;
const PAUSE_MS = 100;

const get = (url) => fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });

/** What keeps a node from being settled, if anything does. */
const complaint = async ({ name, url }, names) => {
  try {
    const health = await get(`${url}/health`);
    if (!health.ok) return `${name} is ${(await health.text()).trim()}`;
    const { members, sessions } = await (await get(`${url}/status`)).json();
    const up = members.filter(({ phase }) => phase === "up").map((member) => member.name);
    if (`${up.sort()}` !== `${names}`) return `${name} sees these nodes up: ${up.join(" ")}`;
    if (sessions.moving > 0) return `${name}: ${sessions.moving} sessions are moving`;
    return undefined;
  } catch (error) {
    return `${name} does not answer: ${error.cause?.message ?? error.message}`;
  }
};

const nodes = [];
for await (const line of createInterface({ input: process.stdin })) {
  const [name, url] = line.split(" ");
  nodes.push({ name, url });
}
const names = nodes.map(({ name }) => name).sort();
const deadline = Date.now() + Number(process.argv[2]) * 1000;

for (;;) {
  const complaints = (await Promise.all(nodes.map((node) => complaint(node, names)))).filter(Boolean);
  if (complaints.length === 0) break;
  if (Date.now() > deadline) {
    for (const line of complaints) console.error(`cluster.sh: ${line}`);
    process.exit(1);
  }
  await pause(PAUSE_MS);
}
