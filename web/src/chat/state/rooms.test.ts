import { describe, expect, it } from "vitest";
import { ENTRIES_KEPT } from "./model";
import { offeredRooms } from "./offered";
import { ANA, BEN, Page } from "./testKit";

describe("joining", () => {
  it("opens the room at once and fills it with the answer", () => {
    const page = Page.online().on({ type: "join room", room: " lobby " });
    expect(page.commands()).toEqual([{ type: "join", room: "lobby" }]);
    expect(page.chat.activeRoom).toBe("lobby");
    expect(page.room("lobby").membership.is).toBe("joining");
    page.joined("lobby");
    expect(page.room("lobby")).toMatchObject({ membership: { is: "joined" }, members: [ANA, BEN] });
  });

  it("only opens a room that one is in already", () => {
    const page = Page.in("lobby", "rust").on({ type: "join room", room: "lobby" });
    expect(page.commands()).toEqual([]);
    expect(page.chat.activeRoom).toBe("lobby");
  });

  it("takes away a room that was refused, and says why", () => {
    const page = Page.in("lobby").on({ type: "join room", room: "no" });
    page.on({ type: "join answered", room: "no", outcome: { is: "refused", problem: "Not this one." } });
    expect(page.chat.rooms.map(({ name }) => name)).toEqual(["lobby"]);
    expect(page.chat.activeRoom).toBe("lobby");
    expect(page.chat.toasts).toMatchObject([{ text: "#no: Not this one." }]);
  });

  it("keeps a refused room that holds a draft, and can try again", () => {
    const page = Page.online().on({ type: "join room", room: "no" });
    page.on({ type: "draft changed", room: "no", draft: "precious" });
    page.on({ type: "join answered", room: "no", outcome: { is: "refused", problem: "Full." } });
    expect(page.room("no")).toMatchObject({ draft: "precious", membership: { is: "failed" } });
    page.commands();
    page.on({ type: "join room", room: "no" });
    expect(page.commands()).toEqual([{ type: "rejoin", room: "no" }]);
  });
});

describe("leaving", () => {
  it("opens the neighbour", () => {
    const page = Page.in("a", "b", "c").on({ type: "open room", room: "b" });
    page.on({ type: "leave room", room: "b" });
    expect(page.commands()).toEqual([{ type: "leave", room: "b" }]);
    expect(page.chat.activeRoom).toBe("c");
    page.on({ type: "leave room", room: "c" }).on({ type: "leave room", room: "a" });
    expect(page.chat.activeRoom).toBeNull();
  });

  it("is made good after a recovery if the server could not hear it", () => {
    const page = Page.in("a", "b").on({ type: "disconnected" }).on({ type: "leave room", room: "a" });
    expect(page.commands()).toEqual([]);
    page.connect("ana-1", { recovered: true });
    expect(page.commands()).toContainEqual({ type: "leave", room: "a" });
  });

  it("is made good if the connection broke before the answer", () => {
    const page = Page.in("a", "b").on({ type: "leave room", room: "a" }).on({ type: "disconnected" });
    page.on({ type: "leave answered", room: "a", outcome: { is: "unanswered" } });
    page.commands();
    page.connect("ana-1", { recovered: true });
    expect(page.commands()).toContainEqual({ type: "leave", room: "a" });
  });

  it("is taken back by joining again", () => {
    const page = Page.in("a").on({ type: "disconnected" }).on({ type: "leave room", room: "a" });
    page.on({ type: "join room", room: "a" }).connect("ana-1", { recovered: true });
    expect(page.commands()).toEqual([{ type: "rejoin", room: "a" }, { type: "list rooms" }]);
  });
});

describe("moving between rooms", () => {
  it("goes round in both directions", () => {
    const page = Page.in("a", "b", "c");
    const after = (step: 1 | -1) => page.on({ type: "open neighbour", step }).chat.activeRoom;
    expect([after(1), after(1), after(-1), after(-1)]).toEqual(["a", "b", "a", "c"]);
  });

  it("does nothing without rooms", () => {
    expect(Page.online().on({ type: "open neighbour", step: 1 }).chat.activeRoom).toBeNull();
  });
});

describe("unread messages", () => {
  it("are counted in rooms that are not open, and seen when opened", () => {
    const page = Page.in("lobby", "rust").hear({ message: "1" }).hear({ message: "2" });
    const [first] = page.room("lobby").entries;
    expect(page.room("lobby")).toMatchObject({ unread: 2, newFrom: first?.id });
    page.on({ type: "open room", room: "lobby" });
    expect(page.room("lobby")).toMatchObject({ unread: 0, newFrom: first?.id });
    page.on({ type: "open room", room: "rust" });
    expect(page.room("lobby").newFrom).toBeNull();
  });

  it("are not those that the person sees arrive", () => {
    const page = Page.in("lobby").hear({});
    expect(page.room("lobby")).toMatchObject({ unread: 0, newFrom: null });
  });

  it("are counted in the open room while the page is hidden", () => {
    const page = Page.in("lobby").on({ type: "page hidden" }).hear({});
    expect(page.room("lobby").unread).toBe(1);
    expect(page.on({ type: "page shown" }).room("lobby").unread).toBe(0);
  });

  it("are not one's own, and not who comes and goes", () => {
    const page = Page.in("lobby", "rust").hear({ id: "ana-1", user: "Ana" });
    page.on({ type: "member left", departure: { room: "lobby", ...BEN }, at: 0 });
    expect(page.room("lobby").unread).toBe(0);
  });
});

describe("members", () => {
  const notices = (page: Page) =>
    page
      .room("lobby")
      .entries.flatMap((entry) => (entry.type === "notice" ? [[entry.user, entry.change]] : []));

  it("are announced as they come and go, once", () => {
    const cho = { room: "lobby", id: "cho-1", user: "Cho" };
    const page = Page.in("lobby");
    page.on({ type: "member joined", member: cho, at: 0 }).on({ type: "member joined", member: cho, at: 0 });
    expect(page.room("lobby").members.map(({ user }) => user)).toEqual(["Ana", "Ben", "Cho"]);
    page
      .on({ type: "member left", departure: cho, at: 0 })
      .on({ type: "member left", departure: cho, at: 0 });
    expect(page.room("lobby").members).toEqual([ANA, BEN]);
    expect(notices(page)).toEqual([
      ["Cho", "joined"],
      ["Cho", "left"],
    ]);
  });

  it("are replaced as a whole, and the difference is announced", () => {
    const cho = { id: "cho-1", user: "Cho" };
    const page = Page.in("lobby").on({
      type: "members replaced",
      list: { room: "lobby", members: [cho, ANA] },
      at: 0,
    });
    expect(page.room("lobby").members).toEqual([cho, ANA]);
    expect(notices(page)).toEqual([
      ["Ben", "left"],
      ["Cho", "joined"],
    ]);
  });
});

describe("entries", () => {
  it("are bounded, the oldest go first", () => {
    const page = Page.in("lobby");
    for (let n = 1; n <= 3 * ENTRIES_KEPT; n++) {
      page.hear({ message: `${n}` });
      expect(page.room("lobby").entries.length).toBeLessThanOrEqual(ENTRIES_KEPT);
    }
    expect(page.texts("lobby").at(-1)).toBe(`${3 * ENTRIES_KEPT}`);
    expect(page.texts("lobby").length).toBeGreaterThan(ENTRIES_KEPT / 2);
  });

  it("of rooms one is not in are dropped", () => {
    const page = Page.in("lobby");
    page.hear({ room: "elsewhere" });
    expect(page.chat.rooms.map(({ name }) => name)).toEqual(["lobby"]);
  });
});

describe("offered rooms", () => {
  it("are those not joined, the fullest first, that contain what is typed", () => {
    const page = Page.in("lobby").on({
      type: "welcomed",
      welcome: { user: "Ana", rooms: ["lobby", "help", "rust"], limits: { message: 1 } },
    });
    page.on({
      type: "rooms listed",
      rooms: [
        { room: "lobby", members: 9 },
        { room: "music", members: 1 },
        { room: "rust", members: 2 },
      ],
    });
    const offered = (typed: string) => offeredRooms(page.chat, typed).map(({ room }) => room);
    expect(offered("")).toEqual(["rust", "music", "help"]);
    expect(offered(" US")).toEqual(["rust", "music"]);
  });

  it("are asked for only while the page is in sight and online", () => {
    const page = Page.online().on({ type: "refresh rooms" });
    expect(page.commands()).toEqual([{ type: "list rooms" }]);
    page.on({ type: "page hidden" }).on({ type: "refresh rooms" });
    page.on({ type: "disconnected" }).on({ type: "page shown" });
    expect(page.commands()).toEqual([]);
  });
});
