import { describe, expect, it } from "vitest";
import { parseSaved, resume, savedFrom } from "./saved";
import { Page } from "./testKit";

/** Through the storage and back, as a refresh does it. */
const refreshed = (page: Page) => {
  const saved = parseSaved(JSON.parse(JSON.stringify(savedFrom(page.chat))));
  if (saved === null) throw new Error("What was saved cannot be read.");
  return resume(saved, true);
};

describe("a refresh", () => {
  it("keeps the name, the rooms, the open room and the drafts", () => {
    const page = Page.in("lobby", "rust").on({ type: "open room", room: "lobby" });
    page.on({ type: "draft changed", room: "rust", draft: "half a sent" });
    const { state, commands } = refreshed(page);
    expect(commands).toEqual([{ type: "connect", name: "Ana" }]);
    expect(state).toMatchObject({
      user: "Ana",
      activeRoom: "lobby",
      connection: { is: "connecting" },
      rooms: [
        { name: "lobby", membership: { is: "joining" } },
        { name: "rust", draft: "half a sent" },
      ],
    });
  });

  it("sends what was waiting, and leaves what may have arrived to the person", () => {
    const page = Page.in("lobby");
    page.write("lobby", "in doubt");
    page.on({ type: "disconnected" });
    page.write("lobby", "waiting");
    const after = new Page(refreshed(page).state).connect("ana-2").joined("lobby");
    expect(after.commands()).toContainEqual(expect.objectContaining({ type: "send", text: "waiting" }));
    expect(after.deliveries("lobby")).toEqual(["unconfirmed", "sending"]);
  });
});

describe("parseSaved", () => {
  it.each([
    [null],
    ["Ana"],
    [{}],
    [{ name: "Ana", activeRoom: null }],
    [{ name: 1, activeRoom: null, rooms: [] }],
    [{ name: "Ana", activeRoom: 1, rooms: [] }],
    [{ name: "Ana", activeRoom: null, rooms: [{ name: "lobby" }] }],
    [{ name: "Ana", activeRoom: null, rooms: [{ name: "lobby", draft: "", unsent: [{}] }] }],
  ])("refuses %j", (value) => {
    expect(parseSaved(value)).toBeNull();
  });
});
