import { describe, expect, test } from "vitest";
import { type Happening, Picture } from "./picture";
import { changes, member, members, rows, whole } from "./testKit";

const brief = (happenings: readonly Happening[] | null) =>
  happenings?.map((happening) =>
    "session" in happening
      ? `${happening.session.tag} ${happening.what}${happening.what === "moved" ? ` from ${happening.from}` : ""}`
      : `${happening.node} ${happening.what}`,
  ) ?? null;

describe("sessions", () => {
  test("the whole picture, and then what changes", () => {
    const picture = new Picture();
    expect(brief(picture.takeSessions(whole("1", rows("a", "a", "b"))))).toEqual([
      "1 appeared",
      "2 appeared",
      "3 appeared",
    ]);
    const told = changes("1", "2", rows("b>a", "a>b"), [3]);
    expect(brief(picture.takeSessions(told))).toEqual(["1 moved from a", "2 changed", "3 ended"]);
    expect(picture.sessions.size).toBe(2);
  });

  test("changes of another picture change nothing", () => {
    const picture = new Picture();
    expect(picture.takeSessions(changes("1", "2", rows("a")))).toBeNull();
    picture.takeSessions(whole("2", rows("a")));
    expect(picture.takeSessions(changes("1", "3", rows("b")))).toBeNull();
    expect(picture.version).toBe("2");
    expect(picture.sessions.get(1)?.owner).toBe("a");
  });

  test("the picture of another node is compared with ours", () => {
    const picture = new Picture();
    picture.takeSessions(whole("a/1", rows("a", "a", "a")));
    expect(brief(picture.takeSessions(whole("b/9", rows("a", "b"))))).toEqual(["2 moved from a", "3 ended"]);
  });

  test("who ended before it was seen is no news", () => {
    const picture = new Picture();
    picture.takeSessions(whole("1", rows("a")));
    expect(brief(picture.takeSessions(changes("1", "2", [], [77])))).toEqual([]);
  });
});

describe("members", () => {
  test("come and go", () => {
    const picture = new Picture();
    const take = (...list: Parameters<typeof members>) => brief(picture.takeMembers(members(...list)));
    expect(take(member("a"), member("b", "joining"))).toEqual(["a joined", "b joining"]);
    expect(take(member("a"), member("b"))).toEqual(["b joined"]);
    expect(take(member("a"), member("b"))).toEqual([]);
    expect(take(member("a", "leaving"), member("b"))).toEqual(["a leaving"]);
    expect(take(member("b"))).toEqual(["a left"]);
    expect(take(member("c"))).toEqual(["c joined", "b lost"]);
    expect(take(member("c", "joining", 2))).toEqual(["c restarted"]);
  });
});
