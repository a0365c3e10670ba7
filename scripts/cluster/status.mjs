// Reads lines of `name pid url` (pid `-`: does not run) and prints them as a table with what each node says of itself.

import { createInterface } from "node:readline";

const PATIENCE_MS = 2000;
const HEADER = ["NODE", "PID", "HTTP", "PHASE", "MEMBERS", "SESSIONS"];
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

/** A number as it is; an object as `12 owned, 9 attached`. */
const describeSessions = (sessions = NOTHING) =>
  typeof sessions === "object"
    ? Object.entries(sessions)
        .map(([name, count]) => `${count} ${name}`)
        .join(", ")
    : String(sessions);

const row = async (line) => {
  const [name, pid, url] = line.split(" ");
  if (pid === NOTHING) return [name, pid, url, "down", NOTHING, NOTHING];
  try {
    const { phase, members, sessions } = await ask(url);
    return [name, pid, url, String(phase), describeMembers(members), describeSessions(sessions)];
  } catch {
    return [name, pid, url, "no answer", NOTHING, NOTHING];
  }
};

const lines = [];
for await (const line of createInterface({ input: process.stdin })) lines.push(line);

const rows = [HEADER, ...(await Promise.all(lines.map(row)))];
const widths = HEADER.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
for (const cells of rows) {
  console.log(
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
}
