import { arrange, seatAt, type Point } from "./layout";
import { eased, Gliding } from "./motion";
import type { Happening, Picture, Session } from "./picture";
import type { Member, Phase, Transport } from "./protocol";
import { Seats } from "./seats";

/** A dot's way from one area to another, in milliseconds. */
export const FLIGHT = 650;
/** Of many that leave at once, the last leaves so much after the first. */
const LONGEST_WAIT = 900;
const WAIT_PER_DOT = 14;
const SHIFT = 450;
const FADE = 500;
/** How long a lost node's place is kept, while its sessions are revived elsewhere. */
const GRAVE = 2_500;
/** As many as tokens.css has colours for nodes. */
const HUES = 8;

/** How the life of a node shows. */
export type Look = Phase | "gone";

/** A node as it is drawn: an area in which its sessions live. */
export class NodeArea {
  look: Look;
  shards = 0;
  owned = 0;
  readonly seats = new Seats();
  readonly x: Gliding;
  readonly y: Gliding;
  readonly radius: Gliding;
  readonly opacity = new Gliding(0);
  goneAt = Infinity;

  constructor(
    readonly name: string,
    readonly hue: number,
    look: Look,
    place: Point,
  ) {
    this.look = look;
    this.x = new Gliding(place.x);
    this.y = new Gliding(place.y);
    this.radius = new Gliding(0);
  }

  isStill(now: number): boolean {
    return [this.x, this.y, this.radius, this.opacity].every((value) => value.isDone(now));
  }
}

interface Flight {
  readonly from: Point;
  readonly start: number;
  readonly duration: number;
  /** Whether it goes from one area to another, in a bow. */
  readonly far: boolean;
}

/** A session as it is drawn. */
export class Dot {
  owner: string;
  ingress: string;
  transport: Transport | null;
  flight: Flight | null = null;
  readonly opacity = new Gliding(0);
  ended = false;

  constructor(session: Session) {
    this.owner = session.owner;
    this.ingress = session.ingress;
    this.transport = session.transport;
  }

  /** Whether it is on its way between two areas. */
  isTravelling(now: number): boolean {
    return this.flight !== null && this.flight.far && now >= this.flight.start;
  }
}

/** All that is drawn, at any time; told what happens, and asked where things are. */
export class Scene {
  readonly areas = new Map<string, NodeArea>();
  readonly dots = new Map<number, Dot>();
  /** How many have travelled from one area to another. */
  travelled = 0;
  /** How far dots are from one another. */
  readonly spacing = new Gliding(12);
  #size = { width: 600, height: 400 };

  /** Without motion everything is at once where it goes. */
  constructor(public motion: boolean) {}

  resize(width: number, height: number, now: number): void {
    if (width === this.#size.width && height === this.#size.height) return;
    this.#size = { width, height };
    this.#arrange(now);
  }

  /** Takes in what changed; `picture` is how it is since. */
  tell(happenings: readonly Happening[], picture: Picture, now: number): void {
    this.#placeMembers(picture.members, now);
    const owners = new Set(
      happenings.flatMap((happening) => ("session" in happening ? [happening.session.owner] : [])),
    );
    for (const owner of [...owners].sort(compareNames)) {
      // A session may be seen before its owner is.
      if (!this.areas.has(owner)) this.#addArea(owner, "joining", now);
    }
    const moves = happenings.filter(({ what }) => what === "moved").length;
    const wait = Math.min(LONGEST_WAIT, moves * WAIT_PER_DOT);
    for (const happening of happenings) {
      if ("session" in happening) this.#follow(happening.session, happening.what, wait, now);
    }
    for (const area of this.areas.values()) {
      for (const { tag, from } of area.seats.closeGaps()) this.#shift(tag, from, now);
    }
    this.#arrange(now);
  }

  /** Clears away what is over; says whether anything moves. Call it before each frame. */
  step(now: number): boolean {
    let still = this.spacing.isDone(now);
    for (const [tag, dot] of this.dots) {
      if (dot.flight !== null && now >= dot.flight.start + dot.flight.duration) {
        if (dot.flight.far) this.travelled += 1;
        dot.flight = null;
      }
      if (dot.ended && dot.opacity.isDone(now)) this.#forget(tag, dot);
      else if (dot.flight !== null || !dot.opacity.isDone(now)) still = false;
    }
    let fewer = false;
    for (const area of this.areas.values()) {
      if (now >= area.goneAt && area.seats.count === 0) area.opacity.glide(0, now, this.#ms(FADE));
      if (now >= area.goneAt && area.opacity.target === 0 && area.opacity.isDone(now)) {
        this.areas.delete(area.name);
        fewer = true;
      } else if (!area.isStill(now) || area.goneAt !== Infinity || area.look !== "up") still = false;
    }
    if (fewer) {
      this.#arrange(now);
      still = false;
    }
    return !still;
  }

  travelling(now: number): number {
    let count = 0;
    for (const dot of this.dots.values()) if (dot.isTravelling(now)) count += 1;
    return count;
  }

  door(node: string, now: number): Point | null {
    const area = this.areas.get(node);
    return area === undefined ? null : { x: area.x.at(now), y: area.y.at(now) };
  }

  /** Where a dot is. */
  place(tag: number, dot: Dot, now: number): Point {
    const seat = this.#seat(tag, dot, now);
    const { flight } = dot;
    if (flight === null) return seat;
    const part = eased(Math.min(1, Math.max(0, (now - flight.start) / flight.duration)));
    const [dx, dy] = [seat.x - flight.from.x, seat.y - flight.from.y];
    // Each flies its own bow, to one side or the other.
    const bow = flight.far ? Math.sin(Math.PI * part) * 0.22 * (spread(tag) - 0.5) : 0;
    return { x: flight.from.x + dx * part - dy * bow, y: flight.from.y + dy * part + dx * bow };
  }

  #seat(tag: number, dot: Dot, now: number): Point {
    const area = this.areas.get(dot.owner);
    const middle = area === undefined ? this.#middle() : { x: area.x.at(now), y: area.y.at(now) };
    const seat = seatAt(area?.seats.seatOf(tag) ?? 0, this.spacing.at(now));
    return { x: middle.x + seat.x, y: middle.y + seat.y };
  }

  #middle(): Point {
    return { x: this.#size.width / 2, y: this.#size.height / 2 };
  }

  #placeMembers(members: readonly Member[], now: number): void {
    for (const member of members) {
      const area = this.areas.get(member.name) ?? this.#addArea(member.name, member.phase, now);
      area.look = member.phase;
      area.shards = member.shards;
      if (member.sessions !== null) area.owned = member.sessions.owned;
      area.goneAt = Infinity;
      area.opacity.glide(1, now, this.#ms(FADE));
    }
    for (const area of this.areas.values()) {
      if (area.look === "gone" || members.some(({ name }) => name === area.name)) continue;
      area.look = "gone";
      area.shards = 0;
      area.owned = 0;
      area.goneAt = now + this.#ms(GRAVE);
    }
  }

  #addArea(name: string, look: Look, now: number): NodeArea {
    const taken = new Set([...this.areas.values()].map(({ hue }) => hue));
    const free = Array.from({ length: HUES }, (_, hue) => hue).find((hue) => !taken.has(hue));
    const area = new NodeArea(name, free ?? this.areas.size % HUES, look, this.#middle());
    area.opacity.glide(1, now, this.#ms(FADE));
    this.areas.set(name, area);
    return area;
  }

  #follow(
    session: Session,
    what: "appeared" | "moved" | "changed" | "ended",
    wait: number,
    now: number,
  ): void {
    const { tag, owner, ingress, transport } = session;
    const dot = this.dots.get(tag) ?? new Dot(session);
    if (what === "ended") {
      dot.ended = true;
      dot.opacity.glide(0, now, this.#ms(FADE));
      return;
    }
    const isNew = !this.dots.has(tag);
    this.dots.set(tag, dot);
    dot.ended = false;
    dot.opacity.glide(1, now, this.#ms(FADE));
    dot.ingress = ingress;
    dot.transport = transport;
    if (!isNew && dot.owner === owner) return;
    const from = isNew ? null : this.place(tag, dot, now);
    this.areas.get(dot.owner)?.seats.leave(tag);
    dot.owner = owner;
    this.areas.get(owner)?.seats.take(tag);
    if (from !== null && this.motion) {
      dot.flight = { from, start: now + wait * spread(tag), duration: FLIGHT, far: true };
    } else if (from !== null) this.travelled += 1;
  }

  #shift(tag: number, seat: number, now: number): void {
    const dot = this.dots.get(tag);
    const area = dot && this.areas.get(dot.owner);
    // Who is in flight lands in its new seat.
    if (dot === undefined || area === undefined || dot.flight !== null || !this.motion) return;
    const place = seatAt(seat, this.spacing.at(now));
    const from = { x: area.x.at(now) + place.x, y: area.y.at(now) + place.y };
    dot.flight = { from, start: now, duration: SHIFT, far: false };
  }

  #forget(tag: number, dot: Dot): void {
    this.dots.delete(tag);
    this.areas.get(dot.owner)?.seats.leave(tag);
  }

  #arrange(now: number): void {
    const areas = [...this.areas.values()].sort((one, other) => compareNames(one.name, other.name));
    const { areas: places, spacing } = arrange(
      areas.map(({ seats }) => seats.count),
      this.#size,
    );
    this.spacing.glide(spacing, now, this.#ms(FLIGHT));
    for (const [index, area] of areas.entries()) {
      const place = places[index];
      if (place === undefined) continue;
      const appearing = area.radius.target === 0;
      const duration = appearing ? 0 : this.#ms(FLIGHT);
      area.x.glide(place.x, now, duration);
      area.y.glide(place.y, now, duration);
      area.radius.glide(place.radius, now, this.#ms(FLIGHT));
    }
  }

  #ms(duration: number): number {
    return this.motion ? duration : 0;
  }
}

/** node2 before node10. */
function compareNames(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** From 0 to 1, as if by chance, and always the same for one tag. */
function spread(tag: number): number {
  return (tag % 1_009) / 1_009;
}
