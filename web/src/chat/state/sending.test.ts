import { describe, expect, it } from "vitest";
import type { Outcome } from "./events";
import { OUTBOX_LIMIT } from "./model";
import { Page } from "./testKit";

const ACCEPTED: Outcome = { is: "accepted", content: null };
const REFUSED: Outcome = { is: "refused", problem: "No." };
const UNANSWERED: Outcome = { is: "unanswered" };

const answer = (page: Page, id: number, outcome: Outcome) =>
  page.on({ type: "send answered", room: "lobby", id, outcome });
const echo = (page: Page, message: string, kind: "text" | "action" = "text") =>
  page.hear({ id: "ana-1", user: "Ana", message, kind });

describe("sending", () => {
  it("empties the draft, hands the trimmed text over and shows it as being sent", () => {
    const page = Page.in("lobby");
    const id = page.write("lobby", " hello \n");
    expect(page.commands()).toEqual([{ type: "send", room: "lobby", id, text: "hello" }]);
    expect(page.room("lobby").draft).toBe("");
    expect(page.deliveries("lobby")).toEqual(["sending"]);
  });

  it("sends nothing that is blank", () => {
    const page = Page.in("lobby").on({ type: "draft changed", room: "lobby", draft: " \n " });
    page.on({ type: "send", room: "lobby", at: 0 });
    expect(page.commands()).toEqual([]);
    expect(page.room("lobby").outbox).toEqual([]);
  });

  it("keeps a draft that has too many bytes, and says so", () => {
    const page = Page.in("lobby").on({
      type: "welcomed",
      welcome: { user: "Ana", rooms: [], limits: { message: 4 } },
    });
    page.on({ type: "draft changed", room: "lobby", draft: "€€" }).on({ type: "send", room: "lobby", at: 0 });
    expect(page.room("lobby")).toMatchObject({ draft: "€€", outbox: [] });
    expect(page.chat.toasts).toHaveLength(1);
  });

  it.each([
    ["the answer first", [0, 1]],
    ["the room's copy first", [1, 0]],
  ])("shows the message once, whichever comes first: %s", (_, order) => {
    const page = Page.in("lobby");
    const id = page.write("lobby", "hello");
    const steps = [() => answer(page, id, ACCEPTED), () => echo(page, "hello")];
    for (const step of order) steps[step]?.();
    expect(page.room("lobby").outbox).toEqual([]);
    expect(page.texts("lobby")).toEqual(["hello"]);
  });

  it("recognises the room's copy of an action", () => {
    const page = Page.in("lobby");
    page.write("lobby", "/me waves");
    echo(page, "waves", "action");
    expect(page.room("lobby").outbox).toEqual([]);
  });

  it("takes a copy with changed words for the oldest message that was acknowledged", () => {
    const page = Page.in("lobby");
    const first = page.write("lobby", "one");
    page.write("lobby", "two");
    answer(page, first, ACCEPTED);
    echo(page, "ONE");
    expect(page.room("lobby").outbox.map(({ text }) => text)).toEqual(["two"]);
  });

  it("does not take another person's words for a copy", () => {
    const page = Page.in("lobby");
    page.write("lobby", "hello");
    page.hear({ message: "hello" });
    expect(page.deliveries("lobby")).toEqual(["sending"]);
  });

  it("shows a refused message with the reason, beside a later one that went through", () => {
    const page = Page.in("lobby");
    const first = page.write("lobby", "same");
    page.write("lobby", "same");
    answer(page, first, REFUSED);
    echo(page, "same");
    expect(page.room("lobby").outbox).toMatchObject([{ id: first, delivery: REFUSED }]);
    expect(page.chat.toasts).toMatchObject([{ text: "No." }]);
  });

  it("keeps what was not answered until the person decides", () => {
    const page = Page.in("lobby");
    const id = page.write("lobby", "hello");
    answer(page, id, UNANSWERED);
    expect(page.deliveries("lobby")).toEqual(["unconfirmed"]);
    page.commands();
    page.on({ type: "retry", room: "lobby", id });
    expect(page.commands()).toEqual([{ type: "send", room: "lobby", id, text: "hello" }]);
    page.on({ type: "discard", room: "lobby", id });
    expect(page.room("lobby").outbox).toEqual([]);
  });

  it("settles what was not answered when its copy comes after all", () => {
    const page = Page.in("lobby");
    answer(page, page.write("lobby", "hello"), UNANSWERED);
    echo(page, "hello");
    expect(page.room("lobby").outbox).toEqual([]);
  });

  it("keeps a draft that finds the outbox full", () => {
    const page = Page.in("lobby").on({ type: "disconnected" });
    for (let n = 0; n < OUTBOX_LIMIT; n++) page.write("lobby", `${n}`);
    page.on({ type: "draft changed", room: "lobby", draft: "one more" });
    page.on({ type: "send", room: "lobby", at: 0 });
    expect(page.room("lobby").draft).toBe("one more");
    expect(page.room("lobby").outbox).toHaveLength(OUTBOX_LIMIT);
    expect(page.chat.toasts).toHaveLength(1);
  });
});

describe("sending before the room is joined", () => {
  it("waits for the room", () => {
    const page = Page.online().on({ type: "join room", room: "lobby" });
    page.commands();
    const id = page.write("lobby", "early");
    expect(page.commands()).toEqual([]);
    page.joined("lobby");
    expect(page.commands()).toEqual([{ type: "send", room: "lobby", id, text: "early" }]);
  });
});

describe("sending while offline", () => {
  it("waits, and goes out in order once the room is joined anew", () => {
    const page = Page.in("lobby").on({ type: "disconnected" });
    const ids = [page.write("lobby", "one"), page.write("lobby", "two")];
    expect(page.commands()).toEqual([]);
    expect(page.deliveries("lobby")).toEqual(["waiting", "waiting"]);
    page.connect("ana-2");
    expect(page.commands()).toEqual([{ type: "join", room: "lobby" }, { type: "list rooms" }]);
    page.joined("lobby");
    expect(page.commands()).toEqual([
      { type: "send", room: "lobby", id: ids[0], text: "one" },
      { type: "send", room: "lobby", id: ids[1], text: "two" },
    ]);
  });

  it("goes out at once when the session is recovered", () => {
    const page = Page.in("lobby").on({ type: "disconnected" });
    const id = page.write("lobby", "one");
    page.connect("ana-1", { recovered: true });
    expect(page.commands()).toEqual([
      { type: "send", room: "lobby", id, text: "one" },
      { type: "list rooms" },
    ]);
  });

  it("never sends again by itself what may have arrived", () => {
    const page = Page.in("lobby");
    const id = page.write("lobby", "one");
    page.commands();
    page.on({ type: "disconnected" });
    answer(page, id, UNANSWERED);
    page.connect("ana-2").joined("lobby");
    expect(page.commands()).toEqual([{ type: "join", room: "lobby" }, { type: "list rooms" }]);
    expect(page.deliveries("lobby")).toEqual(["unconfirmed"]);
  });
});
