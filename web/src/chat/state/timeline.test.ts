import { describe, expect, it } from "vitest";
import { message, messages, page } from "./testKit";
import {
  atEnd,
  EMPTY_TIMELINE,
  hole,
  lastNumber,
  type Timeline,
  WINDOW,
  withArrived,
  withChanged,
  withChanges,
  withLoading,
  withPage,
} from "./timeline";

function loaded(from: number, to: number, last = to): Timeline {
  const asked = withLoading(EMPTY_TIMELINE, { ask: 1, part: {}, how: "replace" });
  return withPage(asked, 1, page(from, to, last));
}

const numbers = (timeline: Timeline): number[] => timeline.messages.map(({ number }) => number);

function random(seed: number): (below: number) => number {
  let now = seed;
  return (below) => {
    now = (Math.imul(now, 1_103_515_245) + 12_345) >>> 0;
    return (now >>> 8) % below;
  };
}

describe("a timeline", () => {
  it("takes what comes next", () => {
    expect(numbers(withArrived(loaded(1, 3), message(4)))).toEqual([1, 2, 3, 4]);
  });

  it("takes nothing twice", () => {
    const once = withArrived(loaded(1, 3), message(4));
    expect(numbers(withArrived(withArrived(once, message(4)), message(2)))).toEqual([1, 2, 3, 4]);
  });

  it("keeps what has overtaken others, and asks for those", () => {
    const ahead = withArrived(withArrived(loaded(1, 3), message(6)), message(5));
    expect(numbers(ahead)).toEqual([1, 2, 3]);
    expect(hole(ahead)).toEqual({ after: 3 });
    expect(numbers(withArrived(ahead, message(4)))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("leaves the reader at the past alone", () => {
    const past = withArrived(loaded(1, 10, 50), message(51));
    expect(numbers(past)).toEqual(numbers(loaded(1, 10)));
    expect(hole(past)).toBeNull();
    expect(atEnd(past)).toBe(false);
    expect(past.newest).toBe(51);
  });

  it("grows by older and by newer pages", () => {
    const middle = loaded(51, 60, 100);
    const older = withPage(
      withLoading(middle, { ask: 2, part: { before: 51 }, how: "extend" }),
      2,
      page(1, 50, 100),
    );
    expect(numbers(older)).toEqual(messages(1, 60).map(({ number }) => number));
    expect(older.atStart).toBe(true);
    const newer = withPage(
      withLoading(older, { ask: 3, part: { after: 60 }, how: "extend" }),
      3,
      page(61, 100, 100),
    );
    expect(lastNumber(newer)).toBe(100);
    expect(newer.atStart).toBe(true);
    expect(atEnd(newer)).toBe(true);
  });

  it("takes no answer to a question that is no longer asked", () => {
    const asked = withLoading(loaded(1, 3), { ask: 7, part: { around: 90 }, how: "replace" });
    expect(withPage(asked, 6, page(4, 9, 99))).toBe(asked);
  });

  it("keeps the later change of a message, whichever way it comes", () => {
    const edited = withChanged(loaded(1, 3), message(2, { text: "new", changed: 9 }));
    expect(withChanged(edited, message(2, { text: "old", changed: 8 })).messages[1]?.text).toBe("new");
    const asked = withLoading(edited, { ask: 2, part: {}, how: "extend" });
    const answer = page(1, 4, 4);
    const fresh = answer.messages.map((held) =>
      held.number === 3 ? { ...held, text: "other", changed: 8 } : held,
    );
    const joined = withPage(asked, 2, { ...answer, messages: fresh });
    expect(joined.messages.map(({ text }) => text)).toEqual(["text 1", "new", "other", "text 4"]);
  });

  it("knows up to which change it is right", () => {
    const asked = withLoading(EMPTY_TIMELINE, { ask: 1, part: {}, how: "replace" });
    const at7 = withPage(asked, 1, { ...page(4, 6, 6), changed: 7 });
    expect(at7.changed).toBe(7);
    const older = withLoading(at7, { ask: 2, part: { before: 4 }, how: "extend" });
    // What was there before is as of then.
    expect(withPage(older, 2, { ...page(1, 3, 6), changed: 11 }).changed).toBe(7);
    expect(withChanged(at7, message(5, { changed: 8 })).changed).toBe(8);
    expect(withChanged(at7, message(5, { changed: 10 })).changed).toBe(7);
    expect(withChanges(at7, [message(5, { changed: 10 })], 12).changed).toBe(12);
  });

  it("is replaced by a page that does not touch it", () => {
    const asked = withLoading(loaded(1, 3), { ask: 2, part: {}, how: "extend" });
    expect(numbers(withPage(asked, 2, page(80, 82, 82)))).toEqual([80, 81, 82]);
  });

  it("stays within its size, at the end where it does not grow", () => {
    let timeline = loaded(1, 50);
    for (let number = 51; number <= WINDOW + 10; number += 1)
      timeline = withArrived(timeline, message(number));
    expect(timeline.messages).toHaveLength(WINDOW);
    expect(timeline.messages[0]?.number).toBe(11);
    expect(timeline.atStart).toBe(false);
    const older = withPage(
      withLoading(timeline, { ask: 2, part: { before: 11 }, how: "extend" }),
      2,
      page(1, 10, WINDOW + 10),
    );
    expect(older.messages).toHaveLength(WINDOW);
    expect(older.messages[0]?.number).toBe(1);
    expect(atEnd(older)).toBe(false);
  });

  it("quotes no text that was deleted", () => {
    const quoting = message(4, {
      replyTo: { number: 2, author: "Bob", text: "text 2" },
    });
    const timeline = withChanged(withArrived(loaded(1, 3), quoting), message(2, { text: "", deleted: true }));
    expect(timeline.messages.at(-1)?.replyTo).toEqual({ number: 2 });
    expect(timeline.messages[1]?.deleted).toBe(true);
  });

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "shows every message once and in order, whatever is lost, doubled or overtaken (seed %i)",
    (seed) => {
      const draw = random(seed + 1);
      const last = 10 + draw(60);
      let timeline = loaded(1, 5);
      const travelling = messages(6, last).flatMap((sent) =>
        draw(5) === 0 ? [] : draw(4) === 0 ? [sent, sent] : [sent],
      );
      while (travelling.length > 0) {
        const [next] = travelling.splice(draw(Math.min(4, travelling.length)), 1);
        if (next !== undefined) timeline = withArrived(timeline, next);
        const missing = hole(timeline);
        if (missing === null || !("after" in missing) || draw(3) > 0) continue;
        const from = missing.after + 1;
        const asked = withLoading(timeline, { ask: 9, part: missing, how: "extend" });
        timeline = withPage(asked, 9, page(from, Math.min(from + 4, last), last));
      }
      for (let rounds = 0; !atEnd(timeline) && rounds < 40; rounds += 1) {
        const from = lastNumber(timeline) + 1;
        const asked = withLoading(timeline, { ask: 9, part: { after: from - 1 }, how: "extend" });
        timeline = withPage(asked, 9, page(from, Math.min(from + 4, last), last));
      }
      const shown = numbers(timeline);
      expect(shown).toEqual(messages(1, shown.length).map(({ number }) => number));
      expect(shown.length).toBeGreaterThanOrEqual(timeline.newest);
    },
  );
});
