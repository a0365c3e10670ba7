import { useEffect, useRef } from "preact/hooks";
import { type Model, sessionsOf } from "../model";
import type { Scene } from "../scene";
import { Stage } from "../stage";

/** The picture. Everything in it is in the table, too. */
export function StageView({ scene, model }: { scene: Scene; model: Model }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage>(null);

  useEffect(() => {
    if (canvas.current === null) return;
    const drawn = new Stage(canvas.current, scene);
    stage.current = drawn;
    const recolor = () => {
      drawn.recolor();
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", recolor);
    const theme = new MutationObserver(recolor);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      scheme.removeEventListener("change", recolor);
      theme.disconnect();
      drawn.close();
    };
  }, [scene]);

  // Whatever made the page be rendered again may have changed the scene.
  useEffect(() => {
    stage.current?.wake();
  });

  const nodes = model.members.map(({ name }) => name).join(", ");
  return (
    <figure class="stage" data-sight={model.sight}>
      <div class="stage-canvas">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${sessionsOf(model.members)} sessions on the nodes ${nodes}; the table says more.`}
          data-testid="stage"
        />
      </div>
      <figcaption class="legend">
        <span>
          <i class="mark websocket" /> WebSocket
        </span>
        <span>
          <i class="mark polling" /> long polling
        </span>
        <span>
          <i class="mark away" /> away
        </span>
        <span class="legend-note">
          A dot lies in its owner, and is threaded to the node its client reached.
        </span>
      </figcaption>
    </figure>
  );
}
