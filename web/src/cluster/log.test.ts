import { expect, test } from "vitest";
import { type Entry, record } from "./log";
import type { Happening, Session } from "./picture";

const session = (owner: string): Session => ({ tag: 1, owner, ingress: "a", transport: "websocket" });
const moved = (from: string, to: string): Happening => ({ what: "moved", session: session(to), from });
const counts = (log: readonly Entry[]) =>
  log.map((entry) => (entry.what === "moved" ? `${entry.from}>${entry.to} ${entry.count}` : entry.what));

test("moves of one kind are counted together while they go on", () => {
  let log = record([], [moved("a", "b"), moved("a", "c"), moved("a", "b")], 1_000);
  expect(counts(log)).toEqual(["a>c 1", "a>b 2"]);
  log = record(log, [moved("a", "b")], 4_500);
  expect(counts(log)).toEqual(["a>c 1", "a>b 3"]);
  log = record(log, [moved("a", "b")], 20_000);
  expect(counts(log)).toEqual(["a>b 1", "a>c 1", "a>b 3"]);
});

test("nodes are told each for itself, and clients that change their node not at all", () => {
  const log = record(
    [],
    [
      { what: "lost", node: "a" },
      { what: "joined", node: "a" },
      { what: "changed", session: session("a") },
    ],
    0,
  );
  expect(counts(log)).toEqual(["joined", "lost"]);
  expect(new Set(log.map(({ id }) => id)).size).toBe(2);
});

test("old lines make room", () => {
  let log: readonly Entry[] = [];
  for (let at = 0; at < 100; at += 1) log = record(log, [{ what: "joined", node: `n${at}` }], at);
  expect(log.length).toBeLessThan(100);
  expect(log[0]).toMatchObject({ node: "n99" });
});
