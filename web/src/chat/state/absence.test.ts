import { describe, expect, it } from "vitest";
import type { Command, Event } from "./events";
import { membership, message, Page, welcome } from "./testKit";

/** Away for so long that the session could not be recovered, in a room of `last` messages now. */
function comesBack(last: number): Event[] {
  return [
    { type: "disconnected", at: 0 },
    { type: "connected", recovered: false, transport: "websocket" },
    { type: "welcomed", welcome: welcome(membership("r", { last, read: 3 })) },
  ];
}

function changesAsked(page: Page): Extract<Command, { type: "load changes" }>[] {
  return page.taken().filter((command) => command.type === "load changes");
}

function loaded(change: Partial<Extract<Event, { type: "changes loaded" }>> = {}): Event {
  return { type: "changes loaded", room: "r", messages: [], changed: 1, more: false, parts: 1, ...change };
}

describe("after an absence", () => {
  it("asks for what was said and for what was changed meanwhile", () => {
    const page = Page.inRoom().on(...comesBack(5));
    const commands = page.taken();
    expect(commands).toContainEqual(expect.objectContaining({ type: "load history", part: {} }));
    expect(commands).toContainEqual({ type: "load changes", room: "r", since: 0, parts: 1 });
    page.on(
      loaded({ messages: [message(2, { text: "", deleted: true, changed: 4 })], changed: 4 }),
      ...comesBack(5),
    );
    expect(page.room().timeline.messages[1]?.deleted).toBe(true);
    expect(changesAsked(page)).toEqual([{ type: "load changes", room: "r", since: 4, parts: 1 }]);
  });

  it("asks for nothing when the session was recovered", () => {
    const page = Page.inRoom().on(
      { type: "disconnected", at: 0 },
      { type: "connected", recovered: true, transport: "websocket" },
      { type: "tick", at: 9_000 },
    );
    expect(changesAsked(page)).toEqual([]);
  });

  it("leaves a reader of the past there", () => {
    const page = Page.inRoom().on({ type: "jump", room: "r", number: 1 }, ...comesBack(900));
    const past = Page.inRoom(200).on({ type: "jump", room: "r", number: 10 });
    past.on({
      type: "history loaded",
      room: "r",
      ask: past.lastAsk(),
      page: { messages: [message(10)], last: 200, changed: 0, more: { before: true, after: true } },
    });
    past.taken();
    past.on(...comesBack(900));
    const commands = past.taken();
    expect(commands.some(({ type }) => type === "load history")).toBe(false);
    expect(commands.some(({ type }) => type === "load changes")).toBe(true);
    expect(page.room().timeline.newest).toBe(900);
  });

  it("asks again when no answer came, and goes on where an answer ends", () => {
    const page = Page.inRoom().on(...comesBack(3));
    page.taken();
    page.on({ type: "changes failed", room: "r" }, { type: "tick", at: 9_000 }, { type: "tick", at: 10_000 });
    expect(changesAsked(page)).toEqual([{ type: "load changes", room: "r", since: 0, parts: 1 }]);
    page.on(loaded({ changed: 50, more: true }));
    expect(changesAsked(page)).toEqual([{ type: "load changes", room: "r", since: 50, parts: 2 }]);
  });

  it("loads all anew rather than a long list of changes", () => {
    const page = Page.inRoom().on(...comesBack(3));
    page.taken();
    page.on(loaded({ changed: 200, more: true, parts: 4 }));
    expect(page.taken()).toEqual([expect.objectContaining({ type: "load history", part: {} })]);
    expect(page.room().timeline.loading?.how).toBe("replace");
  });
});
