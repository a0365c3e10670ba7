import "../shared/tokens.css";
import "../shared/base.css";
import { render } from "preact";
import { applyTheme, storedTheme } from "../shared/theme";
import { forgetSession, lastName, loadSession, saveSession } from "./browserStorage";
import { Connection } from "./connection";
import { frameWork } from "../shared/frames";
import { optionsFrom } from "./options";
import type { State } from "./state/model";
import { resume, savedFrom } from "./state/saved";
import { signedOut } from "./state/update";
import { type Dispatch, Store } from "./store";
import { App } from "./view/App";

/** How often the list of other rooms is renewed while the page is in sight, in milliseconds. */
const ROOMS_REFRESHED_EVERY = 15_000;

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element #root to draw into.");
start(root);

function start(root: HTMLElement): void {
  applyTheme(storedTheme());
  const saved = loadSession();
  const { state, commands } = saved === null ? signedOut(lastName()) : resume(saved, !document.hidden);

  const painting = frameWork(() => {
    render(<App state={store.state} dispatch={act} />, root);
    document.title = titleOf(store.state);
    remember(store.state);
  });
  // What a person does shows at once, or the next key could still go to the room just left.
  const act: Dispatch = (event) => {
    store.dispatch(event);
    painting.now();
  };
  const connection = new Connection((event) => {
    store.dispatch(event);
  }, optionsFrom(location.search).transports);
  const store = new Store(state, connection.perform, painting.soon);

  document.addEventListener("visibilitychange", () => {
    store.dispatch({ type: document.hidden ? "page hidden" : "page shown" });
  });
  window.addEventListener("pagehide", () => {
    remember(store.state);
  });
  setInterval(() => {
    store.dispatch({ type: "refresh rooms" });
  }, ROOMS_REFRESHED_EVERY);

  commands.forEach(connection.perform);
  painting.now();
}

function remember(state: State): void {
  if (state.phase === "chatting") saveSession(savedFrom(state));
  else forgetSession();
}

function titleOf(state: State): string {
  const unread = state.phase === "chatting" ? state.rooms.reduce((sum, room) => sum + room.unread, 0) : 0;
  return unread === 0 ? "Hither" : `(${unread}) Hither`;
}
