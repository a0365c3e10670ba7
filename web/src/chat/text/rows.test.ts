import { describe, expect, it } from "vitest";
import type { Message } from "../protocol";
import { rows } from "./rows";

const NOON = new Date(2026, 4, 5, 12).getTime();
const MINUTE = 60_000;

function said(number: number, change: Partial<Message> = {}): Message {
  const author = { name: "Ada", kind: "member" } as const;
  return { room: "r", number, id: `m${number}`, time: NOON, author, text: "x", kind: "text", ...change };
}

function shape(messages: readonly Message[], newFrom: number | null = null): string[] {
  return rows(messages, newFrom).map((row) =>
    row.type === "message" ? (row.first ? "first" : "more") : row.type,
  );
}

describe("rows", () => {
  it("names who goes on only once", () => {
    expect(shape([said(1), said(2, { time: NOON + MINUTE }), said(3, { time: NOON + 7 * MINUTE })])).toEqual([
      "day",
      "first",
      "more",
      "first",
    ]);
  });

  it.each<[string, Partial<Message>]>([
    ["another person", { author: { name: "Bob", kind: "member" } }],
    ["a webhook of the same name", { author: { name: "Ada", kind: "webhook" } }],
    ["an action", { kind: "action" }],
    ["a notice", { kind: "notice" }],
    ["a reply", { replyTo: { number: 1 } }],
  ])("begins again for %s", (_, change) => {
    expect(shape([said(1), said(2, change)])).toEqual(["day", "first", "first"]);
  });

  it("marks each day", () => {
    expect(shape([said(1), said(2, { time: NOON + 24 * 60 * MINUTE })])).toEqual([
      "day",
      "first",
      "day",
      "first",
    ]);
  });

  it("marks where the new begins, also when the first new message is not here", () => {
    expect(shape([said(1), said(2), said(3)], 2)).toEqual(["day", "first", "new", "first", "more"]);
    expect(shape([said(5), said(6)], 3)).toEqual(["day", "new", "first", "more"]);
    expect(shape([said(1)], 2)).toEqual(["day", "first"]);
  });
});
