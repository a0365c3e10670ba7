import { LABEL, MARGIN, type Point } from "./layout";
import type { Dot, NodeArea, Scene } from "./scene";

/** The colours of the page, as a canvas takes them. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly bad: string;
  readonly surface: string;
  readonly nodes: readonly string[];
  readonly font: string;
}

type Context = CanvasRenderingContext2D;

const FULL_CIRCLE = 2 * Math.PI;
/** How far behind itself a dot in flight leaves a trace, in milliseconds. */
const TRACE = 70;

/** Draws the scene as it is now, over whatever there was. */
export function paint(context: Context, scene: Scene, palette: Palette, now: number): void {
  const areas = [...scene.areas.values()];
  for (const area of areas) paintArea(context, area, palette, scene.motion, now);
  const placed = [...scene.dots].map(([tag, dot]): PlacedDot => ({
    tag,
    dot,
    at: scene.place(tag, dot, now),
  }));
  paintThreads(context, placed, scene, palette, now);
  for (const area of areas) paintDoor(context, area, palette, now);
  paintTraces(context, placed, scene, palette, now);
  paintDots(context, placed, scene, palette, now);
  for (const area of areas) paintLabel(context, area, palette, now);
  context.globalAlpha = 1;
}

interface PlacedDot {
  readonly tag: number;
  readonly dot: Dot;
  readonly at: Point;
}

function hue(palette: Palette, area: NodeArea | undefined): string {
  return (area && palette.nodes[area.hue]) ?? palette.muted;
}

function circle(context: Context, { x, y }: Point, radius: number): void {
  context.moveTo(x + radius, y);
  context.arc(x, y, radius, 0, FULL_CIRCLE);
}

function paintArea(context: Context, area: NodeArea, palette: Palette, motion: boolean, now: number): void {
  const at = { x: area.x.at(now), y: area.y.at(now) };
  const color = area.look === "gone" ? palette.bad : hue(palette, area);
  const opacity = area.opacity.at(now);
  context.beginPath();
  circle(context, at, area.radius.at(now));
  context.fillStyle = color;
  context.globalAlpha = opacity * (area.look === "up" ? 0.1 : 0.05);
  context.fill();
  context.strokeStyle = color;
  context.lineWidth = area.look === "gone" ? 2 : 1.5;
  // What comes and what goes breathes.
  const breathes = motion && area.look !== "up";
  const breath = breathes ? 0.45 + 0.3 * Math.sin(now / 180) : 0.5;
  context.globalAlpha = opacity * breath;
  context.setLineDash(area.look === "up" ? [] : [6, 6]);
  context.lineDashOffset = breathes ? (area.look === "leaving" ? now / 40 : -now / 40) : 0;
  context.stroke();
  context.setLineDash([]);
}

/** From each dot to the door of the node that its client reached. */
function paintThreads(
  context: Context,
  placed: readonly PlacedDot[],
  scene: Scene,
  palette: Palette,
  now: number,
): void {
  // Many threads are each the fainter.
  const strength = Math.min(0.5, 6 / Math.sqrt(placed.length + 1));
  for (const area of scene.areas.values()) {
    const door = { x: area.x.at(now), y: area.y.at(now) };
    for (const far of [false, true]) {
      context.beginPath();
      for (const { dot, at } of placed) {
        if (dot.ingress !== area.name || dot.transport === null || dot.ended) continue;
        if ((dot.owner !== area.name) !== far) continue;
        context.moveTo(at.x, at.y);
        if (far) {
          const middle = { x: (at.x + door.x) / 2, y: (at.y + door.y) / 2 };
          const bend = 0.16;
          context.quadraticCurveTo(
            middle.x + (door.y - at.y) * bend,
            middle.y - (door.x - at.x) * bend,
            door.x,
            door.y,
          );
        } else context.lineTo(door.x, door.y);
      }
      context.strokeStyle = hue(palette, area);
      context.lineWidth = far ? 1 : 0.75;
      context.globalAlpha = area.opacity.at(now) * strength * (far ? 1 : 0.45);
      context.stroke();
    }
  }
}

function paintDoor(context: Context, area: NodeArea, palette: Palette, now: number): void {
  if (area.look === "gone") return;
  const at = { x: area.x.at(now), y: area.y.at(now) };
  context.globalAlpha = area.opacity.at(now);
  context.beginPath();
  circle(context, at, 6);
  context.fillStyle = palette.surface;
  context.fill();
  context.strokeStyle = hue(palette, area);
  context.lineWidth = 2.5;
  context.stroke();
}

function dotRadius(scene: Scene, now: number): number {
  return Math.max(1.4, Math.min(5.5, scene.spacing.at(now) * 0.34));
}

function paintTraces(
  context: Context,
  placed: readonly PlacedDot[],
  scene: Scene,
  palette: Palette,
  now: number,
): void {
  context.lineCap = "round";
  context.lineWidth = dotRadius(scene, now) * 1.2;
  context.globalAlpha = 0.25;
  for (const { tag, dot, at } of placed) {
    if (!dot.isTravelling(now) || dot.flight === null) continue;
    const behind = scene.place(tag, dot, Math.max(dot.flight.start, now - TRACE));
    context.strokeStyle = hue(palette, scene.areas.get(dot.ingress));
    context.beginPath();
    context.moveTo(behind.x, behind.y);
    context.lineTo(at.x, at.y);
    context.stroke();
  }
}

/** Filled on a WebSocket, open on long polling, faint while the client is away. */
function paintDots(
  context: Context,
  placed: readonly PlacedDot[],
  scene: Scene,
  palette: Palette,
  now: number,
): void {
  const radius = dotRadius(scene, now);
  for (const { dot, at } of placed) {
    const color = hue(palette, scene.areas.get(dot.ingress));
    context.globalAlpha = dot.opacity.at(now) * (dot.transport === null ? 0.4 : 1);
    context.beginPath();
    if (dot.transport === "polling") {
      circle(context, at, radius * 0.8);
      context.fillStyle = palette.surface;
      context.fill();
      context.strokeStyle = color;
      context.lineWidth = radius * 0.5;
      context.stroke();
    } else {
      circle(context, at, dot.isTravelling(now) ? radius * 1.25 : radius);
      context.fillStyle = dot.transport === null ? palette.muted : color;
      context.fill();
    }
  }
}

function paintLabel(context: Context, area: NodeArea, palette: Palette, now: number): void {
  const [x, y, radius] = [area.x.at(now), area.y.at(now), area.radius.at(now)];
  context.globalAlpha = area.opacity.at(now);
  outlined(context, area.name, x, y - radius - 8, palette, `600 13px ${palette.font}`);
  outlined(
    context,
    describe(area),
    x,
    y + radius + LABEL - 8,
    palette,
    `12px ${palette.font}`,
    palette.muted,
  );
}

function describe({ look, owned, shards }: NodeArea): string {
  if (look === "gone") return "gone";
  const counts = `${owned} ${owned === 1 ? "session" : "sessions"} · ${shards} shards`;
  return look === "up" ? counts : `${look} · ${counts}`;
}

/** Text that can be read over threads, and whole: near the side it is drawn further inside. */
function outlined(
  context: Context,
  text: string,
  x: number,
  y: number,
  palette: Palette,
  font: string,
  color = palette.text,
): void {
  context.font = font;
  context.textAlign = "center";
  context.lineJoin = "round";
  context.strokeStyle = palette.surface;
  context.lineWidth = 4;
  const reach = context.measureText(text).width / 2 + MARGIN;
  const inside = Math.max(reach, Math.min(x, widthOf(context) - reach));
  context.strokeText(text, inside, y);
  context.fillStyle = color;
  context.fillText(text, inside, y);
}

/** In CSS pixels, as everything is drawn. */
function widthOf(context: Context): number {
  return context.canvas.width / context.getTransform().a;
}
