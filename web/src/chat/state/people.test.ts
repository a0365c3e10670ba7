import { describe, expect, it } from "vitest";
import { peopleOf } from "./people";
import { ADA, BOB, membership, Page } from "./testKit";

const CAROL = { name: "Carol", kind: "guest" } as const;

describe("who is in a room", () => {
  it("follows the changes once the list is known", () => {
    const page = Page.inRoom().on(
      { type: "presence told", change: { room: "r", count: 9, joined: [CAROL], left: [] } },
      { type: "presence listed", room: "r", persons: [ADA, BOB], count: 2 },
      { type: "presence told", change: { room: "r", count: 2, joined: [CAROL], left: [BOB] } },
    );
    expect(page.room().presence).toMatchObject({ count: 2, persons: [ADA, CAROL] });
  });

  it("asks for the list again, now and then, when only the count is told", () => {
    const page = Page.inRoom().on({ type: "presence listed", room: "r", persons: [ADA], count: 1 });
    page.taken();
    page.on({ type: "presence told", change: { room: "r", count: 500 } });
    page.on({ type: "tick", at: 10_000 });
    page.on({ type: "presence told", change: { room: "r", count: 501 } }, { type: "tick", at: 12_000 });
    expect(page.taken()).toEqual([{ type: "list presence", room: "r" }]);
    page.on({ type: "tick", at: 15_000 });
    expect(page.taken()).toEqual([{ type: "list presence", room: "r" }]);
  });

  it("is shown with oneself first, the roles, and those who are away", () => {
    const members = [
      { ...BOB, role: "owner" as const },
      { ...CAROL, role: "member" as const },
      { ...ADA, role: "member" as const },
    ];
    const people = peopleOf(
      { count: 3, persons: [BOB, ADA], stale: false, askedAt: 0 },
      { members, more: false },
      "Ada",
    );
    expect(people.present.map(({ name, role }) => [name, role])).toEqual([
      ["Ada", "member"],
      ["Bob", "owner"],
    ]);
    expect(people.absent.map(({ name }) => name)).toEqual(["Carol"]);
    expect(people.hidden).toBe(1);
  });

  it("forgets who has stopped typing", () => {
    const page = Page.inRoom().on({ type: "typing told", room: "r", name: "Bob", at: 1_000 });
    expect(page.room().typing).toHaveLength(1);
    page.on({ type: "tick", at: 6_000 });
    expect(page.room().typing).toEqual([]);
  });
});

describe("rooms", () => {
  it("are left for the next one, with a word of why", () => {
    const page = Page.inRoom().on({ type: "room left", left: { room: "r", reason: "banned", by: "Bob" } });
    expect(page.chatting.activeRoom).toBe("other");
    expect(page.chatting.toasts[0]?.text).toBe("You were banned from #r by Bob.");
  });

  it("are joined on every device, in their order, and end the invitation", () => {
    const page = Page.inRoom().on(
      { type: "invited", invitation: { room: "new", name: "new", kind: "private", by: "Bob" } },
      { type: "room joined", membership: membership("new", { order: -1 }) },
    );
    expect(page.chatting.rooms.map(({ membership: { room } }) => room)).toEqual(["new", "r", "other"]);
    expect(page.chatting.invitations).toEqual([]);
    expect(page.chatting.activeRoom).toBe("r");
  });
});

describe("signing out", () => {
  it("explains itself unless the person has asked for it", () => {
    const ended = Page.inRoom().on({ type: "signed out", reason: "password_changed" });
    ended.on({ type: "nobody signed in", guests: true });
    expect(ended.state).toMatchObject({
      phase: "signed out",
      notice: expect.stringMatching(/password/u) as string,
    });
    const asked = Page.inRoom().on(
      { type: "signing out", under: true },
      { type: "signed out", reason: "signed_out" },
    );
    asked.on({ type: "nobody signed in", guests: true });
    expect(asked.state).toMatchObject({ phase: "signed out", notice: null });
    expect(asked.taken()).toContainEqual({ type: "disconnect" });
  });

  it("comes of a login that has ended, and of no other refusal", () => {
    expect(Page.inRoom().on({ type: "refused", code: "unavailable" }).state.phase).toBe("chatting");
    expect(Page.inRoom().on({ type: "refused", code: "not_signed_in" }).state.phase).toBe("starting");
  });
});
