import { describe, expect, test } from "vitest";
import { type Happening, Picture } from "./picture";
import { FLIGHT, Scene } from "./scene";
import { changes, member, members, rows, whole } from "./testKit";

/** A cluster of a and b with one session on a, at rest. */
function atRest(motion = true) {
  const [picture, scene] = [new Picture(), new Scene(motion)];
  scene.resize(800, 500, 0);
  const tell = (happenings: readonly Happening[] | null, now: number) => {
    scene.tell(happenings ?? [], picture, now);
  };
  tell(picture.takeMembers(members(member("a"), member("b"))), 0);
  tell(picture.takeSessions(whole("1", rows("a"))), 0);
  scene.step(10_000);
  const place = (now: number) => {
    const dot = scene.dots.get(1);
    if (dot === undefined) throw new Error("the dot is gone");
    return scene.place(1, dot, now);
  };
  const isIn = (node: string, now: number) => {
    const [at, door] = [place(now), scene.door(node, now)];
    const radius = scene.areas.get(node)?.radius.at(now) ?? 0;
    return door !== null && Math.hypot(at.x - door.x, at.y - door.y) < radius;
  };
  return { picture, scene, tell, place, isIn };
}

describe("a session that moves", () => {
  test("travels from the one area to the other", () => {
    const { picture, scene, tell, place, isIn } = atRest();
    expect(scene.step(10_000)).toBe(false);
    tell(picture.takeSessions(changes("1", "2", rows("b>a"))), 10_000);
    expect(scene.step(10_000)).toBe(true);
    expect(isIn("a", 10_000)).toBe(true);
    const half = 10_000 + FLIGHT / 2;
    scene.step(half);
    expect(scene.travelling(half)).toBe(1);
    expect(isIn("a", half) || isIn("b", half)).toBe(false);
    const [before, after] = [place(half), place(half + 16)];
    expect(Math.hypot(after.x - before.x, after.y - before.y)).toBeLessThan(40);
    const end = 12_000;
    expect(scene.step(end)).toBe(false);
    expect([scene.travelled, scene.travelling(end), isIn("b", end)]).toEqual([1, 0, true]);
  });

  test("turns round where it is when it moves again", () => {
    const { picture, tell, place } = atRest();
    tell(picture.takeSessions(changes("1", "2", rows("b>a"))), 10_000);
    const before = place(10_300);
    tell(picture.takeSessions(changes("2", "3", rows("a"))), 10_300);
    expect(place(10_300)).toEqual(before);
  });

  test("is at once where it goes for who wants no motion", () => {
    const { picture, tell, isIn } = atRest(false);
    tell(picture.takeSessions(changes("1", "2", rows("b>a"))), 10_000);
    expect(isIn("b", 10_000)).toBe(true);
  });
});

test("a session that ended fades and is gone", () => {
  const { picture, scene, tell } = atRest();
  tell(picture.takeSessions(changes("1", "2", [], [1])), 10_000);
  scene.step(10_100);
  expect(scene.dots.get(1)?.opacity.at(10_100)).toBeLessThan(1);
  scene.step(12_000);
  expect(scene.dots.size).toBe(0);
  expect(scene.areas.get("a")?.seats.count).toBe(0);
});

test("a lost node stays until its sessions have left it", () => {
  const { picture, scene, tell } = atRest();
  tell(picture.takeMembers(members(member("b"))), 10_000);
  scene.step(60_000);
  expect(scene.areas.get("a")?.look).toBe("gone");
  tell(picture.takeSessions(changes("1", "2", rows("b>a"))), 60_000);
  scene.step(61_000);
  scene.step(62_000);
  expect([...scene.areas.keys()]).toEqual(["b"]);
});

test("nodes have colours of their own, and give them back", () => {
  const scene = new Scene(false);
  const picture = new Picture();
  const tell = (now: number, ...names: string[]) => {
    scene.tell(picture.takeMembers(members(...names.map((name) => member(name)))), picture, now);
    scene.step(now + 10_000);
    scene.step(now + 20_000);
  };
  tell(0, "a", "b", "c");
  const hue = (name: string) => scene.areas.get(name)?.hue;
  expect([hue("a"), hue("b"), hue("c")]).toEqual([0, 1, 2]);
  tell(30_000, "a", "c");
  tell(60_000, "a", "c", "d");
  expect([hue("a"), hue("c"), hue("d")]).toEqual([0, 2, 1]);
});
