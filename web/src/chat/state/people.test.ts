import { describe, expect, it } from "vitest";
import type { Person } from "../protocol";
import type { Presence } from "./model";
import { peopleOf } from "./people";
import { ADA, BOB, membership, Page } from "./testKit";

const CAROL = { name: "Carol", kind: "guest" } as const;

const NO_MEMBERS = { type: "members listed", room: "r", after: null, members: [], next: null } as const;

function presence(persons: readonly Person[], count: number): Presence {
  return { count, persons, wanted: 200, stale: false, askedAt: 0 };
}

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
    const page = Page.inRoom().on(NO_MEMBERS, {
      type: "presence listed",
      room: "r",
      persons: [ADA],
      count: 1,
    });
    page.taken();
    page.on({ type: "presence told", change: { room: "r", count: 500 } });
    page.on({ type: "tick", at: 10_000 });
    page.on({ type: "presence told", change: { room: "r", count: 501 } }, { type: "tick", at: 12_000 });
    expect(page.taken()).toEqual([{ type: "list presence", room: "r", most: 200 }]);
    page.on({ type: "tick", at: 15_000 });
    expect(page.taken()).toEqual([{ type: "list presence", room: "r", most: 200 }]);
  });

  it("is shown with oneself first, the roles, and those who are away", () => {
    const members = [
      { ...BOB, role: "owner" as const },
      { ...CAROL, role: "member" as const },
      { ...ADA, role: "member" as const },
    ];
    const people = peopleOf(presence([BOB, ADA], 2), { members }, ADA);
    expect(people.present.map(({ name, role }) => [name, role])).toEqual([
      ["Ada", "member"],
      ["Bob", "owner"],
    ]);
    expect(people.others.map(({ name }) => name)).toEqual(["Carol"]);
    expect(people).toMatchObject({ othersAbsent: true, hidden: 0 });
  });

  it("is asked for again when no answer came", () => {
    const page = Page.inRoom().on({ type: "people failed", room: "r" }, { type: "tick", at: 10_000 });
    expect(page.taken()).toEqual([
      { type: "list presence", room: "r", most: 200 },
      { type: "list members", room: "r", after: null },
    ]);
  });

  it("has oneself in it, also where it is not listed whole", () => {
    const people = peopleOf(presence([BOB, CAROL], 500), { members: [] }, ADA);
    expect(people.present.map(({ name }) => name)).toEqual(["Ada", "Bob", "Carol"]);
    expect(people.hidden).toBe(497);
  });

  it("calls nobody away while more are there than are listed", () => {
    const members = [{ ...CAROL, role: "member" as const }];
    const people = peopleOf(presence([ADA, BOB], 3), { members }, ADA);
    expect(people).toMatchObject({ othersAbsent: false, hidden: 1 });
  });

  it("is listed further when more is asked for, also when the list is asked for again", () => {
    const page = Page.inRoom().on(
      NO_MEMBERS,
      { type: "presence listed", room: "r", persons: [ADA, BOB], count: 900 },
      { type: "list more persons", room: "r" },
    );
    expect(page.taken()).toEqual([{ type: "list presence", room: "r", most: 400 }]);
    page.on({ type: "presence told", change: { room: "r", count: 901 } }, { type: "tick", at: 10_000 });
    expect(page.taken()).toEqual([{ type: "list presence", room: "r", most: 400 }]);
  });

  it("has members listed part by part, each once", () => {
    const owner = { ...ADA, role: "owner" as const };
    const [bob, carol] = [
      { ...BOB, role: "member" as const },
      { ...CAROL, role: "member" as const },
    ];
    const page = Page.inRoom().on(
      { type: "members listed", room: "r", after: null, members: [owner], next: "a" },
      { type: "list more members", room: "r" },
    );
    expect(page.taken()).toEqual([{ type: "list members", room: "r", after: "a" }]);
    const second = { type: "members listed", room: "r", after: "a", members: [carol], next: null } as const;
    page.on({ type: "members changed", change: { room: "r", changed: [bob, carol] } }, second, second, {
      type: "list more members",
      room: "r",
    });
    expect(page.room().members).toEqual({ members: [owner, bob, carol], next: null, stale: false });
    expect(page.taken()).toEqual([]);
  });

  it("has members listed anew when too many have changed to be named", () => {
    const listed = (next: string | null) =>
      ({ type: "members listed", room: "r", after: null, members: [], next }) as const;
    const many = { type: "members changed", change: { room: "r" } } as const;
    const again = { type: "list members", room: "r", after: null } as const;
    const present = { type: "presence listed", room: "r", persons: [ADA], count: 1 } as const;
    const page = Page.inRoom().on(present, listed(null), many, { type: "tick", at: 10_000 });
    expect(page.taken()).toContainEqual(again);
    page.on(listed(null), { type: "tick", at: 20_000 });
    expect(page.taken()).toEqual([]);
    // Of a long list a part is shown, until the room is opened again.
    page.on(present, listed("b"), many, { type: "tick", at: 30_000 });
    expect(page.taken()).not.toContainEqual(again);
    page.on({ type: "open room", room: "other" }, { type: "open room", room: "r" });
    expect(page.taken()).toContainEqual(again);
  });

  it("loses a guest who is gone", () => {
    const page = Page.inRoom().on(
      { type: "presence listed", room: "r", persons: [ADA, CAROL], count: 2 },
      {
        type: "members listed",
        room: "r",
        after: null,
        members: [{ ...CAROL, role: "member" }],
        next: null,
      },
      { type: "presence told", change: { room: "r", count: 1, joined: [], left: [CAROL] } },
      { type: "members changed", change: { room: "r", changed: [{ ...CAROL, role: null }] } },
    );
    const { presence, members } = page.room();
    expect(peopleOf(presence, members, ADA)).toMatchObject({ present: [ADA], others: [] });
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
