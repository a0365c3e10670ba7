import { expect, test } from "vitest";
import { Seats } from "./seats";

test("the first free seat is taken", () => {
  const seats = new Seats();
  expect([7, 8, 9].map((tag) => seats.take(tag))).toEqual([0, 1, 2]);
  seats.leave(8);
  expect(seats.take(10)).toBe(1);
  expect(seats.count).toBe(3);
});

test("gaps are closed from the rim, and nobody else moves", () => {
  const seats = new Seats();
  [1, 2, 3, 4, 5].forEach((tag) => seats.take(tag));
  [1, 3].forEach((tag) => {
    seats.leave(tag);
  });
  expect(seats.closeGaps()).toEqual([
    { tag: 5, from: 4 },
    { tag: 4, from: 3 },
  ]);
  expect([5, 2, 4].map((tag) => seats.seatOf(tag))).toEqual([0, 1, 2]);
  expect(seats.closeGaps()).toEqual([]);
});

test("who has no seat can leave, and an empty area has no gaps", () => {
  const seats = new Seats();
  seats.leave(1);
  seats.take(1);
  seats.leave(1);
  expect(seats.closeGaps()).toEqual([]);
  expect(seats.count).toBe(0);
});
