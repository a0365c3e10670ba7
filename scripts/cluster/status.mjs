// Reads lines of `name pid url admin-url` (pid `-`: does not run) and prints them as a table with what each node says of itself.

import { createInterface } from "node:readline";

const PATIENCE_MS = 2000;
const HEADER = ["NODE", "PID", "HTTP", "PHASE", "MEMBERS", "SHARDS", "OWNED", "ATTACHED", "MOVING"];
const NUMBERS = HEADER.indexOf("SHARDS");
const NOTHING = "-";

const ask = async (url) => {
  const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
};

/** `3 up`, or `2 up, 1 leaving`. */
const describeMembers = (members = []) => {
  const counts = new Map();
  for (const { phase } of members) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => `${count} ${phase}`).join(", ") || NOTHING;
};

/** Its shards, and of its sessions those that it owns, whose WebSockets it holds, and that are being handed off. */
const counts = ({ node, members = [], sessions = {} }) =>
  [members.find(({ name }) => name === node)?.shards, sessions.owned, sessions.attached, sessions.moving].map(
    (count) => String(count ?? NOTHING),
  );

const row = async (line) => {
  const [name, pid, url, adminUrl] = line.split(" ");
  const without = (phase) => HEADER.map((_, column) => [name, pid, url, phase][column] ?? NOTHING);
  if (pid === NOTHING) return without("down");
  try {
    const status = await ask(adminUrl);
    return [name, pid, url, String(status.phase), describeMembers(status.members), ...counts(status)];
  } catch {
    return without("no answer");
  }
};

const lines = [];
for await (const line of createInterface({ input: process.stdin })) lines.push(line);

const rows = [HEADER, ...(await Promise.all(lines.map(row)))];
const widths = HEADER.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
for (const cells of rows) {
  console.log(
    cells
      .map((cell, column) => (column < NUMBERS ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
