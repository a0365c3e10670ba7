import { describe, expect, it } from "vitest";
import type { Event } from "./events";
import { ADA, membership, message, Page, page as history, welcome } from "./testKit";

const said = (number: number, change = {}): Event => ({
  type: "message arrived",
  message: message(number, change),
});
const tick: Event = { type: "tick", at: 1e6 };

function marks(page: Page): number[] {
  return page.taken().flatMap((command) => (command.type === "mark read" ? [command.number] : []));
}

describe("unread", () => {
  it("counts what others say in rooms that are not open", () => {
    const page = Page.inRoom().on(
      said(1, { room: "other" }),
      said(2, { room: "other", author: ADA }),
      said(3, { room: "other" }),
    );
    expect(page.room("other").membership).toMatchObject({ unread: 2, last: 3 });
  });

  it("counts also what has been overtaken", () => {
    const page = Page.inRoom().on(said(2, { room: "other" }), said(1, { room: "other" }));
    expect(page.room("other").membership).toMatchObject({ unread: 2, last: 2 });
  });

  it("does not count what the welcome has counted", () => {
    const page = Page.welcomed(
      membership("r"),
      membership("other", { order: 1, last: 5, unread: 2, read: 3 }),
    );
    page.on(said(5, { room: "other" }));
    expect(page.room("other").membership.unread).toBe(2);
  });

  it("ends when the room is opened, and the server is told at once", () => {
    const page = Page.welcomed(
      membership("r"),
      membership("other", { order: 1, last: 5, unread: 2, read: 3 }),
    );
    page.on({ type: "open room", room: "other" });
    page.on({ type: "history loaded", room: "other", ask: page.lastAsk(), page: history(1, 5, 5) }, tick);
    expect(page.room("other").membership).toMatchObject({ unread: 0, read: 5 });
    expect(page.room("other").newFrom).toBe(4);
    expect(marks(page)).toEqual([5]);
  });

  it("tells the server of a run of messages once", () => {
    const page = Page.inRoom().on(said(4), said(5), said(6));
    expect(marks(page)).toEqual([]);
    page.on(tick, tick);
    expect(marks(page)).toEqual([6]);
  });

  it("tells it again when the server did not hear it", () => {
    const page = Page.inRoom().on(said(4), tick, { type: "read untold", room: "r", number: 4 }, tick);
    expect(marks(page)).toEqual([4, 4]);
  });

  it("begins while the page is hidden, with a mark, and ends when it is shown", () => {
    const page = Page.inRoom().on({ type: "page hidden" }, said(4), said(5));
    expect(page.room().membership.unread).toBe(2);
    expect(page.room().newFrom).toBe(4);
    page.on({ type: "page shown" });
    expect(page.room().membership).toMatchObject({ unread: 0, read: 5 });
    expect(page.room().newFrom).toBe(4);
    page.on({ type: "open room", room: "other" }, { type: "open room", room: "r" });
    expect(page.room().newFrom).toBeNull();
  });

  it("follows what another device has read", () => {
    const page = Page.welcomed(membership("r"), membership("other", { order: 1, last: 5, unread: 5 }));
    page.on({ type: "read told", mark: { room: "other", read: 4, unread: 1 } });
    expect(page.room("other").membership).toMatchObject({ unread: 1, read: 4 });
    page.on({ type: "read told", mark: { room: "other", read: 2, unread: 3 } });
    expect(page.room("other").membership).toMatchObject({ unread: 1, read: 4 });
  });

  it("takes away the mark of what another device has read meanwhile", () => {
    const page = Page.inRoom().on({ type: "page hidden" }, said(4), {
      type: "read told",
      mark: { room: "r", read: 4, unread: 0 },
    });
    expect(page.room().newFrom).toBeNull();
  });
});

describe("calls for attention", () => {
  const notices = (page: Page) => page.taken().filter(({ type }) => type === "notify");

  it("come of mentions and of direct messages, unless they are seen or the room is muted", () => {
    const direct = membership("direct", { kind: "direct", name: "Bob", order: 2 });
    const muted = membership("muted", { muted: true, order: 3 });
    const page = Page.welcomed(membership("r"), membership("other", { order: 1 }), direct, muted);
    page.on(said(1, { text: "hi @Ada" }));
    expect(notices(page)).toEqual([]);
    page.on(said(1, { room: "other", text: "hi @Adam" }), said(1, { room: "muted", text: "@Ada" }));
    expect(notices(page)).toEqual([]);
    page.on(said(2, { room: "other", text: "hi **@Ada**" }), said(1, { room: "direct", text: "psst" }));
    expect(notices(page)).toEqual([
      { type: "notify", room: "other", title: "Bob in #other", text: "hi @Ada" },
      { type: "notify", room: "direct", title: "Bob", text: "psst" },
    ]);
  });
});

describe("after an absence", () => {
  const back: Event = { type: "connected", recovered: false, transport: "websocket" };

  it("asks for what the open room missed, and forgets what nobody looks at", () => {
    const page = Page.inRoom().on({ type: "open room", room: "other" });
    page.on({ type: "history loaded", room: "other", ask: page.lastAsk(), page: history(1, 2, 2) });
    page.on({ type: "open room", room: "r" }, { type: "disconnected", at: 1 }, back);
    page.taken();
    page.on({
      type: "welcomed",
      welcome: welcome(membership("r", { last: 8 }), membership("other", { last: 9 })),
    });
    expect(page.numbers()).toEqual([1, 2, 3]);
    expect(page.room("other").timeline.loaded).toBe(false);
    page.on({ type: "history loaded", room: "r", ask: page.lastAsk(), page: history(1, 8, 8) });
    expect(page.numbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("says that it is long only when it is", () => {
    const page = Page.inRoom().on({ type: "disconnected", at: 1_000 }, { type: "tick", at: 4_900 });
    expect(page.chatting.connection).toMatchObject({ long: false });
    page.on({ type: "tick", at: 5_000 });
    expect(page.chatting.connection).toMatchObject({ long: true });
    page.on(back);
    expect(page.chatting.connection).toMatchObject({ is: "online" });
  });
});
