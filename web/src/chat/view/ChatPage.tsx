import "./chatPage.css";
import { useEffect } from "preact/hooks";
import type { Chatting } from "../state/model";
import type { Dispatch } from "../store";
import { Conversation } from "./Conversation";
import { Members } from "./Members";
import { NoRoom } from "./NoRoom";
import { Sidebar } from "./Sidebar";
import { Toasts } from "./Toasts";
import { useDrawer } from "./useDrawer";

export function ChatPage({ state, dispatch }: { state: Chatting; dispatch: Dispatch }) {
  const drawer = useDrawer();
  const room = state.rooms.find(({ name }) => name === state.activeRoom);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
      event.preventDefault();
      dispatch({ type: "open neighbour", step: event.key === "ArrowUp" ? -1 : 1 });
    };
    window.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("keydown", onKey);
    };
  }, [dispatch]);

  return (
    <div class="chat" data-drawer={drawer.open ?? "none"}>
      <a class="skip-link" href="#composer">
        Skip to writing a message
      </a>
      <Sidebar state={state} dispatch={dispatch} drawer={drawer} />
      {room === undefined ? (
        <NoRoom state={state} dispatch={dispatch} drawer={drawer} />
      ) : (
        <Conversation
          room={room}
          unreadElsewhere={state.rooms.reduce((sum, other) => sum + (other === room ? 0 : other.unread), 0)}
          connection={state.connection}
          messageLimit={state.messageLimit}
          drawer={drawer}
          dispatch={dispatch}
        />
      )}
      {room !== undefined && (
        <Members room={room} connection={state.connection} drawer={drawer} dispatch={dispatch} />
      )}
      <div class="backdrop" onClick={drawer.close} />
      <Toasts toasts={state.toasts} dispatch={dispatch} />
    </div>
  );
}
