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
/** At the sides. */
export const MARGIN = 14;
const SMALLEST_RADIUS = 30;
const WIDEST_SPACING = 24;
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
  // Two lie beside each other, or one above the other where it is narrow; more begin at the top.
  const start = radii.length === 2 && width > height ? Math.PI : -Math.PI / 2;
  const angles = radii.map((_, index) => start + (index * 2 * Math.PI) / radii.length);
  const xs = spreadOver(angles.map(Math.cos), widest + MARGIN, width - widest - MARGIN);
  const ys = spreadOver(angles.map(Math.sin), widest + LABEL, height - widest - LABEL);
  return radii.map((radius, index) => ({ x: xs[index] ?? 0, y: ys[index] ?? 0, radius }));
}

/** Stretches values so that they fill what there is; equal ones go to the middle. */
function spreadOver(values: readonly number[], from: number, to: number): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (most - least < 1e-6) return values.map(() => (from + to) / 2);
  return values.map((value) => from + ((value - least) / (most - least)) * (to - from));
}

function fits(areas: readonly Area[], { width, height }: Size): boolean {
  const inside = areas.every(
    ({ x, y, radius }) =>
      x - radius >= MARGIN - 1 &&
      x + radius <= width - MARGIN + 1 &&
      y - radius >= LABEL - 1 &&
      y + radius <= height - LABEL + 1,
  );
  const apart = areas.every((one, index) =>
    areas.slice(index + 1).every((other) => {
      const between = Math.hypot(one.x - other.x, one.y - other.y);
      // One above the other have names and counts between them.
      const labels = (2 * LABEL * Math.abs(one.y - other.y)) / (between || 1);
      return between >= one.radius + other.radius + GAP + labels;
    }),
  );
  return inside && apart;
}
