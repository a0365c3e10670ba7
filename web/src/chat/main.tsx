import "../shared/tokens.css";
import "../shared/base.css";
import { render } from "preact";
import { frameWork } from "../shared/frames";
import { applyTheme, storedTheme } from "../shared/theme";
import { account } from "./account";
import { Connection } from "./connection";
import { Keeping } from "./keeping";
import { notify, onNotificationClick } from "./notifier";
import { optionsFrom } from "./options";
import { Performer } from "./performer";
import { registerShell } from "./shell";
import type { State } from "./state/model";
import { starting } from "./state/update";
import { type Dispatch, Store } from "./store";
import { App } from "./view/App";
import { Uploads } from "./uploads";
import type { Tools } from "./view/tools";

/** How often the state is told the time, in milliseconds: for what ends by itself, and what is to be tried again. */
const TICK = 1_000;

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element #root to draw into.");
start(root);
registerShell();

function start(root: HTMLElement): void {
  applyTheme(storedTheme());
  const keeping = new Keeping(
    () => localStorage,
    () => sessionStorage,
  );
  const painting = frameWork(() => {
    render(<App state={store.state} tools={tools} />, root);
    document.title = titleOf(store.state);
    keeping.keep(store.state);
  });
  // What a person does shows at once, or the next key could still go to the room just left.
  const act: Dispatch = (event) => {
    const before = store.state;
    store.dispatch(event);
    if (store.state !== before) painting.now();
  };
  const dispatch: Dispatch = (event) => {
    store.dispatch(event);
  };
  const options = optionsFrom(location.search);
  const connection = new Connection(dispatch, options.transports);
  const recall: Tools["recall"] = (name) => {
    const recalled = keeping.recall(name);
    return { ...recalled, activeRoom: options.room ?? recalled.activeRoom };
  };
  const uploads = new Uploads();
  const performer = new Performer({
    account,
    connection,
    uploads,
    dispatch,
    recall,
    notify,
  });
  const tools: Tools = {
    dispatch: act,
    dispatchSoon: dispatch,
    request: connection.request,
    holdFile: (file) => uploads.hold(file),
    account,
    recall,
    forget: (name) => {
      keeping.forget(name);
    },
  };
  const { state, commands } = starting(!document.hidden);
  const store = new Store(state, performer.perform, painting.soon);

  document.addEventListener("visibilitychange", () => {
    store.dispatch({ type: document.hidden ? "page hidden" : "page shown" });
  });
  window.addEventListener("pagehide", () => {
    keeping.keep(store.state);
  });
  onNotificationClick((room) => {
    act({ type: "open room", room });
  });
  setInterval(() => {
    store.dispatch({ type: "tick", at: Date.now() });
  }, TICK);

  commands.forEach(performer.perform);
  painting.now();
}

function titleOf(state: State): string {
  if (state.phase !== "chatting") return "Hither";
  const unread = state.rooms.reduce(
    (sum, { membership }) => sum + (membership.muted ? 0 : membership.unread),
    0,
  );
  return unread === 0 ? "Hither" : `(${unread}) Hither`;
}
