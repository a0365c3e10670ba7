import { describe, expect, it } from "vitest";
import type { Entry } from "../state/model";
import { blocks } from "./blocks";

const NOON = new Date(2026, 10, 20, 12).getTime();
const MINUTE = 60_000;

let nextId = 1;
const said = (from: string, at = NOON, kind: "text" | "action" = "text"): Entry => ({
  type: "message",
  id: nextId++,
  at,
  user: from,
  from,
  own: false,
  kind,
  text: "…",
});
const came = (user: string): Entry => ({
  type: "notice",
  id: nextId++,
  at: NOON,
  user,
  change: "joined",
  reason: null,
});

/** The kinds of blocks with the number of entries in each, without the day on top. */
function shape(entries: Entry[], newFrom: number | null = null): string[] {
  const [day, ...rest] = blocks(entries, newFrom);
  expect(day?.type).toBe("day");
  return rest.map((block) => {
    if (block.type === "messages") return `messages ${block.messages.length}`;
    if (block.type === "notices") return `notices ${block.notices.length}`;
    return block.type;
  });
}

describe("blocks", () => {
  it("puts together what one person says in one go", () => {
    expect(shape([said("a"), said("a"), said("b"), said("a")])).toEqual([
      "messages 2",
      "messages 1",
      "messages 1",
    ]);
  });

  it("begins anew after a pause", () => {
    expect(shape([said("a"), said("a", NOON + 4 * MINUTE), said("a", NOON + 9 * MINUTE)])).toEqual([
      "messages 2",
      "messages 1",
    ]);
  });

  it("leaves actions alone", () => {
    expect(shape([said("a"), said("a", NOON, "action"), said("a")])).toEqual([
      "messages 1",
      "messages 1",
      "messages 1",
    ]);
  });

  it("puts together who came and went", () => {
    expect(shape([came("a"), came("b"), said("a"), came("c")])).toEqual([
      "notices 2",
      "messages 1",
      "notices 1",
    ]);
  });

  it("marks where the unread begins, also amid what one person says", () => {
    const [first, second] = [said("a"), said("a")];
    expect(shape([first, second], second.id)).toEqual(["messages 1", "new", "messages 1"]);
  });

  it("begins each day with its mark", () => {
    const day = 24 * 60 * MINUTE;
    expect(shape([said("a"), said("a", NOON + day)])).toEqual(["messages 1", "day", "messages 1"]);
  });

  it("gives every block a key of its own that stays while it grows", () => {
    const entries = [came("a"), said("a"), said("b")];
    const before = blocks(entries, null).map(({ key }) => key);
    const after = blocks([...entries, said("b")], null).map(({ key }) => key);
    expect(after).toEqual(before);
    expect(new Set(after).size).toBe(after.length);
  });

  it("shows nothing of nothing", () => {
    expect(blocks([], null)).toEqual([]);
  });
});
