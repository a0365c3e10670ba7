import "./conversation.css";
import type { Chatting } from "../../state/model";
import { useWish } from "../dialogs/wishes";
import type { Drawer } from "../useDrawer";
import { ConversationHead } from "./ConversationHead";

/** For somebody who is in no room, or whose rooms are not known yet. */
export function NoRoom({ state, drawer }: { state: Chatting; drawer: Drawer }) {
  const wish = useWish();
  return (
    <main class="conversation" inert={drawer.open !== null}>
      <ConversationHead unreadElsewhere={0} connection={state.connection} drawer={drawer}>
        <div class="conversation-title">
          <h1>{state.welcomed ? "Welcome" : "Loading…"}</h1>
        </div>
      </ConversationHead>
      {state.welcomed && (
        <div class="no-room">
          <h2>
            Hello, <bdi>{state.person.name}</bdi>
          </h2>
          <p>You are in no room just now.</p>
          <div class="no-room-actions">
            <button
              type="button"
              class="primary"
              onClick={() => {
                wish({ is: "browse rooms" });
              }}
            >
              Find rooms
            </button>
            <button
              type="button"
              onClick={() => {
                wish({ is: "create room", name: "" });
              }}
            >
              Make a room
            </button>
          </div>
        </div>
      )}
    </main>
  );
}
