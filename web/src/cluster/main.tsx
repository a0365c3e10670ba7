import "../shared/tokens.css";
import "../shared/base.css";
import { render } from "preact";
import { frameWork } from "../shared/frames";
import { applyTheme, storedTheme } from "../shared/theme";
import { Feed, type Sight } from "./feed";
import { type Entry, record } from "./log";
import type { Model } from "./model";
import { type Happening, Picture } from "./picture";
import type { Hello } from "./protocol";
import { Scene } from "./scene";
import { ClusterPage } from "./view/ClusterPage";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element #root to draw into.");
start(root);

function start(root: HTMLElement): void {
  applyTheme(storedTheme());
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const scene = new Scene(!stillness.matches);
  stillness.addEventListener("change", () => {
    scene.motion = !stillness.matches;
  });

  const picture = new Picture();
  let log: readonly Entry[] = [];
  let sight: Sight = "connecting";
  let hello: Hello | null = null;

  const model = (): Model => ({
    sight,
    hello,
    members: picture.members,
    shown: picture.sessions.size,
    log,
    hues: new Map([...scene.areas.values()].map(({ name, hue }) => [name, hue])),
  });
  const painting = frameWork(() => {
    render(<ClusterPage model={model()} scene={scene} />, root);
  });
  // Members are told after sessions, and what happened to them is why sessions moved.
  let untold: Happening[] = [];

  painting.now();
  new Feed({
    sight: (now) => {
      sight = now;
      painting.soon();
    },
    hello: (told) => {
      hello = told;
      painting.soon();
    },
    sessions: (told) => {
      const isFirst = picture.version === null;
      const happenings = picture.takeSessions(told);
      if (happenings === null) return false;
      scene.tell(happenings, picture, performance.now());
      // What was there before anybody looked has not happened.
      if (!isFirst) untold.push(...happenings);
      return true;
    },
    members: (told) => {
      const isFirst = picture.members.length === 0;
      const happenings = picture.takeMembers(told);
      scene.tell(happenings, picture, performance.now());
      if (!isFirst) log = record(log, [...happenings, ...untold], Date.now());
      untold = [];
      painting.soon();
    },
  });
}
