import { offeredRooms } from "../state/offered";
import type { Chatting } from "../state/model";
import type { Dispatch } from "../store";
import { ConversationHead } from "./ConversationHead";
import type { Drawer } from "./useDrawer";

const OFFERED_SHOWN = 6;

/** For someone who is in no room yet. */
export function NoRoom({ state, dispatch, drawer }: { state: Chatting; dispatch: Dispatch; drawer: Drawer }) {
  const offered = offeredRooms(state, "").slice(0, OFFERED_SHOWN);
  return (
    <main class="conversation" inert={drawer.open !== null}>
      <ConversationHead
        title={<h1 class="conversation-title">Welcome</h1>}
        connection={state.connection}
        drawer={drawer}
      />
      <div class="no-room">
        <h2>
          Hello, <bdi>{state.user}</bdi>
        </h2>
        <p>
          {offered.length > 0
            ? "Step into a room, or start one of your own."
            : "Start a room: give it a name in the list of rooms."}
        </p>
        <ul class="no-room-offers">
          {offered.map(({ room, members }) => (
            <li key={room}>
              <button
                type="button"
                onClick={() => {
                  dispatch({ type: "join room", room });
                }}
              >
                <bdi class="room-name">{room}</bdi>
                <span class="room-size">{members === 0 ? "empty" : `${members} here`}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </main>
  );
}
