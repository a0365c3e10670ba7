import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { ADA, membership, message, Page, welcome } from "./testKit";

const write = (id: string, text = id): Event => ({ type: "send", room: "r", text, kind: "text", id, at: 5 });
const stored = (id: string, number: number): Event => ({
  type: "send answered",
  room: "r",
  id,
  result: { is: "stored", number, time: 99 },
  at: 6,
});
const refused = (id: string, code: string, retryAfterMs?: number): Event => ({
  type: "send answered",
  room: "r",
  id,
  result: {
    is: "error",
    error: { code, message: "no", ...(retryAfterMs !== undefined && { retryAfterMs }) },
  },
  at: 1_000,
});
const gone: Event = { type: "disconnected", at: 10 };
const back = (recovered: boolean): Event => ({ type: "connected", recovered, transport: "websocket" });

function sentBy(page: Page): string[] {
  return page.taken().flatMap((command) => (command.type === "send" ? [command.outgoing.id] : []));
}

describe("sending", () => {
  it("sends one after the other, in the order of writing", () => {
    const page = Page.inRoom().on(write("a"), write("b"));
    expect(sentBy(page)).toEqual(["a"]);
    page.on(stored("a", 4));
    expect(sentBy(page)).toEqual(["b"]);
  });

  it("shows a stored message with the server's number and time, before it is published", () => {
    const page = Page.inRoom().on(write("a", "hello"), stored("a", 4));
    expect(page.room().outbox).toEqual([]);
    expect(page.room().timeline.messages.at(-1)).toEqual(
      message(4, { id: "a", time: 99, author: ADA, text: "hello" }),
    );
  });

  it("shows it once, whether the publication or the answer comes first", () => {
    const published: Event = { type: "message arrived", message: message(4, { id: "a", author: ADA }) };
    for (const order of [
      [published, stored("a", 4)],
      [stored("a", 4), published],
    ]) {
      const page = Page.inRoom().on(write("a"), ...order);
      expect(page.numbers()).toEqual([1, 2, 3, 4]);
      expect(page.room().outbox).toEqual([]);
    }
  });

  it("sends again with the same id when no answer came", () => {
    const silence: Event = { type: "send answered", room: "r", id: "a", result: { is: "silence" }, at: 6 };
    const page = Page.inRoom().on(write("a"), silence);
    expect(sentBy(page)).toEqual(["a", "a"]);
  });

  it.each([true, false])(
    "keeps what is written while it is offline, and sends it afterwards (recovered: %s)",
    (recovered) => {
      const page = Page.inRoom().on(write("a"), gone, write("b"));
      expect(sentBy(page)).toEqual(["a"]);
      expect(page.room().outbox.map(({ delivery }) => delivery.is)).toEqual(["waiting", "waiting"]);
      page.on(back(recovered));
      if (!recovered) {
        expect(sentBy(page)).toEqual([]);
        page.on({ type: "welcomed", welcome: welcome(membership("r", { last: 3 })) });
      }
      expect(sentBy(page)).toEqual(["a"]);
      page.on(stored("a", 4));
      expect(sentBy(page)).toEqual(["b"]);
    },
  );

  it.each(["limited", "unavailable"])("tries again by itself when the server is ready: %s", (code) => {
    const page = Page.inRoom().on(write("a"), refused("a", code, 5_000), write("b"));
    expect(sentBy(page)).toEqual(["a"]);
    expect(page.room().outbox[0]?.delivery).toEqual({ is: "delayed", problem: "no", until: 6_000 });
    page.on({ type: "tick", at: 5_999 });
    expect(sentBy(page)).toEqual([]);
    page.on({ type: "tick", at: 6_000 });
    expect(sentBy(page)).toEqual(["a"]);
  });

  it("leaves what the server will never take to the writer, and goes on with the rest", () => {
    const page = Page.inRoom().on(write("a"), write("b"), refused("a", "forbidden"));
    expect(sentBy(page)).toEqual(["a", "b"]);
    page.on(stored("b", 4), { type: "tick", at: 1e9 });
    expect(sentBy(page)).toEqual([]);
    page.on({ type: "retry", room: "r", id: "a" });
    expect(sentBy(page)).toEqual(["a"]);
  });

  it("keeps what is too long in the composer, and says so", () => {
    const page = Page.inRoom().on(
      { type: "draft changed", room: "r", draft: "x", at: 0 },
      write("a", "é".repeat(51)),
    );
    expect(page.room().draft).toBe("x");
    expect(page.room().outbox).toEqual([]);
    expect(page.chatting.toasts[0]?.text).toMatch(/2 bytes too long/u);
  });

  it("goes back to the newest messages to show what was sent", () => {
    const page = Page.inRoom(200).on({ type: "jump", room: "r", number: 20 });
    page.on({
      type: "history loaded",
      room: "r",
      ask: page.lastAsk(),
      page: { messages: [message(20)], last: 200, changed: 0, more: { before: true, after: true } },
    });
    page.taken();
    page.on(write("a"));
    expect(page.taken()).toContainEqual(expect.objectContaining({ type: "load history", part: {} }));
  });

  it("tells that somebody types now and then, but not of commands", () => {
    const page = Page.inRoom();
    const type = (draft: string, at: number): Event => ({ type: "draft changed", room: "r", draft, at });
    page.on(type("/me", 10_000), type("a", 10_001), type("ab", 10_500), type("abc", 13_100));
    expect(page.taken().filter(({ type: what }) => what === "tell typing")).toHaveLength(2);
  });
});

describe("editing and replying", () => {
  it("asks for the edit, and gives back the draft that was there before", () => {
    const page = Page.inRoom().on(
      { type: "draft changed", room: "r", draft: "half", at: 0 },
      { type: "edit", room: "r", message: message(2, { author: ADA }) },
    );
    expect(page.room().draft).toBe("text 2");
    page.on(write("x", "better"));
    expect(page.taken()).toContainEqual({ type: "edit", room: "r", number: 2, text: "better" });
    expect(page.room().draft).toBe("half");
    expect(page.room().composing).toEqual({ is: "new" });
  });

  it("opens an edit again that has failed", () => {
    const page = Page.inRoom().on({
      type: "edit failed",
      room: "r",
      number: 2,
      text: "better",
      problem: "No.",
    });
    expect(page.room().composing.is).toBe("edit");
    expect(page.room().draft).toBe("better");
    expect(page.chatting.toasts[0]?.text).toMatch(/No\./u);
  });

  it("finds the last of one's own", () => {
    const own = (number: number, change = {}): Event => ({
      type: "message arrived",
      message: message(number, { author: ADA, ...change }),
    });
    const page = Page.inRoom().on(own(4), own(5, { deleted: true }), { type: "edit last", room: "r" });
    expect(page.room().composing).toMatchObject({ is: "edit", message: { number: 4 } });
  });

  it("sends a reply with the number that it answers", () => {
    const page = Page.inRoom().on({ type: "reply", room: "r", message: message(2) }, write("a"));
    const [sent] = page.taken().filter((command) => command.type === "send");
    expect(sent?.outgoing.replyTo).toMatchObject({ number: 2, text: "text 2" });
    expect(page.room().composing).toEqual({ is: "new" });
  });
});
