// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { Keeping } from "./keeping";
import { ADA, membership, Page, welcome } from "./state/testKit";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

const keeping = () =>
  new Keeping(
    () => localStorage,
    () => sessionStorage,
  );

function written(): Page {
  return Page.inRoom().on(
    { type: "draft changed", room: "other", draft: "half", at: 0 },
    { type: "disconnected", at: 1 },
    { type: "send", room: "r", text: "one", kind: "text", id: "a", at: 1 },
    { type: "send", room: "r", text: "two", kind: "action", id: "b", at: 2 },
  );
}

describe("what outlives the page", () => {
  it("is what was typed and not confirmed, under the same ids", () => {
    keeping().keep(written().state);
    const { kept, activeRoom } = keeping().recall("ADA");
    expect(activeRoom).toBe("r");
    const page = new Page().on(
      { type: "signed in", person: ADA, kept, activeRoom },
      { type: "connected", recovered: false, transport: "polling" },
      { type: "welcomed", welcome: welcome(membership("r"), membership("other")) },
    );
    expect(page.room("other").draft).toBe("half");
    expect(page.room().outbox).toMatchObject([
      { id: "a", text: "one", delivery: { is: "sending" } },
      { id: "b", text: "two", kind: "action" },
    ]);
  });

  it("goes when it is confirmed", () => {
    const keeper = keeping();
    const page = written();
    keeper.keep(page.state);
    const stored = { is: "stored", number: 4, time: 1 } as const;
    page.on(
      { type: "send answered", room: "r", id: "a", result: stored, at: 3 },
      { type: "draft changed", room: "other", draft: "", at: 3 },
    );
    keeper.keep(page.state);
    expect(Object.keys(localStorage)).toEqual(["hither.unsent/ada/b"]);
  });

  it("stays while the rooms are not known", () => {
    keeping().keep(written().state);
    const keeper = keeping();
    const { kept } = keeper.recall("Ada");
    keeper.keep(new Page().on({ type: "signed in", person: ADA, kept, activeRoom: null }).state);
    expect(localStorage).toHaveLength(3);
  });

  it("is of no concern to another person, nor to what another tab has written", () => {
    keeping().keep(written().state);
    expect(keeping().recall("Adam").kept).toEqual([]);
    keeping().keep(Page.inRoom().state);
    expect(localStorage).toHaveLength(3);
    keeping().forget("ada");
    expect(localStorage).toHaveLength(0);
  });

  it("is nothing where it cannot be read", () => {
    localStorage.setItem("hither.unsent/ada/x", "{broken");
    localStorage.setItem("hither.unsent/ada/y", JSON.stringify({ room: "r", id: 5 }));
    expect(keeping().recall("Ada").kept).toEqual([]);
  });
});
