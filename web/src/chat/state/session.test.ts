import { describe, expect, it } from "vitest";
import { Page } from "./testKit";

const types = (page: Page, room: string) => page.room(room).entries.map(({ type }) => type);

describe("a connection that comes back", () => {
  it("with a new session joins all rooms again and marks the gap once", () => {
    const page = Page.in("lobby", "rust").hear({}).on({ type: "disconnected" });
    expect(page.chat.connection.is).toBe("reconnecting");
    page.connect("ana-2");
    expect(page.commands()).toEqual([
      { type: "join", room: "lobby" },
      { type: "join", room: "rust" },
      { type: "list rooms" },
    ]);
    expect(page.room("lobby")).toMatchObject({ membership: { is: "joining" }, members: [] });
    page.joined("lobby").on({ type: "disconnected" }).connect("ana-3");
    expect(types(page, "lobby")).toEqual(["message", "gap"]);
    expect(types(page, "rust")).toEqual([]);
  });

  it("with the old session goes on without a gap", () => {
    const page = Page.in("lobby").hear({ message: "1" }).on({ type: "disconnected" });
    page.connect("ana-1", { recovered: true }).hear({ message: "2" });
    expect(page.commands()).toEqual([{ type: "list rooms" }]);
    expect(types(page, "lobby")).toEqual(["message", "message"]);
    expect(page.room("lobby").membership.is).toBe("joined");
  });

  it("with the old session finishes a join that broke off", () => {
    const page = Page.online().on({ type: "join room", room: "lobby" }).on({ type: "disconnected" });
    page.on({ type: "join answered", room: "lobby", outcome: { is: "unanswered" } });
    expect(page.room("lobby").membership.is).toBe("joining");
    page.commands();
    page.connect("ana-1", { recovered: true });
    expect(page.commands()).toContainEqual({ type: "rejoin", room: "lobby" });
  });

  it("does not announce everyone as new when the list of members comes before the join is answered", () => {
    const page = Page.in("lobby").hear({}).on({ type: "disconnected" }).connect("ana-2");
    page.on({ type: "members replaced", list: { room: "lobby", members: [{ id: "x", user: "X" }] }, at: 0 });
    expect(types(page, "lobby")).toEqual(["message", "gap"]);
  });

  it("is told where the session stands, and forgets it when it breaks", () => {
    const placement = { ingress: "node2", owner: "node1" };
    const page = Page.online().on({ type: "placed", placement });
    page.on({ type: "transport changed", transport: "websocket" });
    expect(page.chat.connection).toMatchObject({ is: "online", placement, transport: "websocket" });
    page.on({ type: "disconnected" }).on({ type: "placed", placement });
    expect(page.chat.connection).toEqual({ is: "reconnecting" });
    page.connect("ana-2");
    expect(page.chat.connection).toMatchObject({ placement: null, transport: "polling" });
  });
});
