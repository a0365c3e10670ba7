/** Where areas and dots are: pure geometry, in CSS pixels. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Area extends Point {
  readonly radius: number;
}

export interface Layout {
  readonly areas: readonly Area[];
  /** How far dots are from one another. */
  readonly spacing: number;
}

/** What a number of sessions is drawn in. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** Room for an area's name above it and its counts below. */
export const LABEL = 24;
/** Between two areas, so that threads are seen. */
const GAP = 26;
const SMALLEST_RADIUS = 30;
const WIDEST_SPACING = 15;
const CLOSEST_SPACING = 2.5;
/** Seats left free around the middle, where the node's door is. */
const DOOR_SEATS = 4;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

/** Places one area for each of these numbers of seats, with the widest spacing at which they fit. */
export function arrange(seats: readonly number[], size: Size): Layout {
  for (let spacing = WIDEST_SPACING; ; spacing *= 0.92) {
    const radii = seats.map((count) => radiusOf(count, spacing));
    const areas = ring(radii, size);
    if (spacing <= CLOSEST_SPACING || fits(areas, size)) return { areas, spacing };
  }
}

/** Where the dot in a seat is, seen from the middle of its area: like seeds of a sunflower. */
export function seatAt(seat: number, spacing: number): Point {
  const distance = spacing * 0.58 * Math.sqrt(seat + DOOR_SEATS);
  const angle = seat * GOLDEN_ANGLE;
  return { x: distance * Math.cos(angle), y: distance * Math.sin(angle) };
}

export function radiusOf(seats: number, spacing: number): number {
  return Math.max(SMALLEST_RADIUS, spacing * 0.58 * Math.sqrt(seats + DOOR_SEATS) + spacing);
}

function ring(radii: readonly number[], { width, height }: Size): Area[] {
  const [only] = radii;
  if (only !== undefined && radii.length === 1) return [{ x: width / 2, y: height / 2, radius: only }];
  const widest = Math.max(...radii);
  const rx = Math.max(0, width / 2 - widest - 8);
  const ry = Math.max(0, height / 2 - widest - LABEL - 4);
  // Two lie beside each other, or one above the other where it is narrow; more begin at the top.
  const start = radii.length === 2 && width > height ? Math.PI : -Math.PI / 2;
  return radii.map((radius, index) => {
    const angle = start + (index * 2 * Math.PI) / radii.length;
    return { x: width / 2 + rx * Math.cos(angle), y: height / 2 + ry * Math.sin(angle), radius };
  });
}

function fits(areas: readonly Area[], { width, height }: Size): boolean {
  const inside = areas.every(
    ({ x, y, radius }) =>
      x - radius >= 0 && x + radius <= width && y - radius >= LABEL && y + radius <= height - LABEL,
  );
  const apart = areas.every((one, index) =>
    areas.slice(index + 1).every((other) => {
      const between = Math.hypot(one.x - other.x, one.y - other.y);
      return between >= one.radius + other.radius + GAP;
    }),
  );
  return inside && apart;
}
