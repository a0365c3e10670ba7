import { describe, expect, test } from "vitest";
import { arrange, LABEL, radiusOf, seatAt } from "./layout";

const SIZE = { width: 900, height: 560 };
const PHONE = { width: 360, height: 480 };

describe("areas", () => {
  test.each([
    [SIZE, [10]],
    [SIZE, [60, 70]],
    [SIZE, [66, 68, 69]],
    [SIZE, [700, 600, 650, 50]],
    [SIZE, [0, 0, 0, 0, 0]],
    [PHONE, [66, 68, 69]],
    [PHONE, [500, 500]],
  ])("in %o %o sessions fit beside one another", (size, seats) => {
    const { areas } = arrange(seats, size);
    for (const [index, { x, y, radius }] of areas.entries()) {
      expect(x - radius).toBeGreaterThanOrEqual(0);
      expect(x + radius).toBeLessThanOrEqual(size.width);
      expect(y - radius).toBeGreaterThanOrEqual(LABEL - 1);
      expect(y + radius).toBeLessThanOrEqual(size.height - LABEL + 1);
      for (const other of areas.slice(index + 1)) {
        expect(Math.hypot(x - other.x, y - other.y)).toBeGreaterThan(radius + other.radius);
      }
    }
  });

  test("more sessions are drawn closer together", () => {
    expect(arrange([1_000, 1_000], SIZE).spacing).toBeLessThan(arrange([50, 50], SIZE).spacing);
  });

  test("even what cannot fit is placed", () => {
    expect(arrange([9_000, 9_000, 9_000], PHONE).areas).toHaveLength(3);
    expect(arrange([], SIZE).areas).toEqual([]);
    expect(arrange([5, 5], { width: 0, height: 0 }).areas).toHaveLength(2);
  });
});

describe("seats", () => {
  const seats = Array.from({ length: 300 }, (_, seat) => seatAt(seat, 10));

  test("are apart from each other and from the door", () => {
    for (const [index, { x, y }] of seats.entries()) {
      expect(Math.hypot(x, y)).toBeGreaterThan(10);
      for (const other of seats.slice(index + 1)) {
        expect(Math.hypot(x - other.x, y - other.y)).toBeGreaterThan(8);
      }
    }
  });

  test("lie within the radius of their area", () => {
    const radius = radiusOf(seats.length, 10);
    for (const { x, y } of seats) expect(Math.hypot(x, y)).toBeLessThan(radius);
  });
});
