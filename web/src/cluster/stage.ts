import { paint, type Palette } from "./paint";
import type { Scene } from "./scene";

/** As many as tokens.css names. */
const NODE_COLORS = 8;
/** Sharper screens show no more, and cost more. */
const SHARPEST = 2;

/** Draws a scene on a canvas, frame by frame while something moves, and tells tests about it in data attributes. */
export class Stage {
  readonly #context: CanvasRenderingContext2D;
  readonly #resized: ResizeObserver;
  #palette: Palette;
  #frame: number | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly scene: Scene,
  ) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("This browser cannot draw on a canvas.");
    this.#context = context;
    this.#palette = paletteOf(canvas);
    this.#resized = new ResizeObserver(() => {
      this.#fit();
    });
    this.#resized.observe(canvas);
  }

  /** Something has changed: draw until nothing moves. */
  wake(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#draw();
    });
  }

  /** The page has other colours now. */
  recolor(): void {
    this.#palette = paletteOf(this.canvas);
    this.wake();
  }

  close(): void {
    this.#resized.disconnect();
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(SHARPEST, devicePixelRatio);
    this.canvas.width = Math.round(clientWidth * scale);
    this.canvas.height = Math.round(clientHeight * scale);
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.scene.resize(clientWidth, clientHeight, performance.now());
    this.#draw();
  }

  #draw(): void {
    const now = performance.now();
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    const moves = this.scene.step(now);
    this.#context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    paint(this.#context, this.scene, this.#palette, now);
    const { dataset } = this.canvas;
    dataset["nodes"] = `${this.scene.areas.size}`;
    dataset["sessions"] = `${this.scene.dots.size}`;
    dataset["travelling"] = `${this.scene.travelling(now)}`;
    dataset["travelled"] = `${this.scene.travelled}`;
    if (moves) this.wake();
  }
}

/** The page's colours at present, found by asking for them: a canvas knows nothing of custom properties. */
function paletteOf(canvas: HTMLCanvasElement): Palette {
  const probe = document.createElement("span");
  canvas.after(probe);
  const color = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    text: color("text"),
    muted: color("muted"),
    bad: color("bad"),
    surface: color("surface"),
    nodes: Array.from({ length: NODE_COLORS }, (_, hue) => color(`node-${hue}`)),
    font: getComputedStyle(probe).fontFamily,
  };
  probe.remove();
  return palette;
}
