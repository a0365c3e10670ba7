import "./chatPage.css";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Chatting } from "../state/model";
import { activeRoom } from "../state/within";
import { Dialogs } from "./dialogs/Dialogs";
import { type Wish, WishContext } from "./dialogs/wishes";
import { Conversation } from "./room/Conversation";
import { NoRoom } from "./room/NoRoom";
import { SidePanel, type SideView } from "./side/SidePanel";
import { Sidebar } from "./sidebar/Sidebar";
import { Toasts } from "./Toasts";
import { useTools } from "./tools";
import { useDrawer } from "./useDrawer";

export function ChatPage({ state }: { state: Chatting }) {
  const { dispatch } = useTools();
  const drawer = useDrawer();
  const [side, setSide] = useState<SideView>("people");
  const [wish, setWish] = useState<Wish | null>(null);
  const room = activeRoom(state);
  const { show } = drawer;
  const showSide = useCallback(
    (view: SideView) => {
      setSide(view);
      show("side");
    },
    [show],
  );

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setWish({ is: "browse rooms" });
      } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        event.preventDefault();
        dispatch({ type: "open neighbour", step: event.key === "ArrowUp" ? -1 : 1 });
      }
    };
    window.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("keydown", onKey);
    };
  }, [dispatch]);

  return (
    <WishContext.Provider value={setWish}>
      <div class="chat" data-drawer={drawer.open ?? "none"}>
        {room !== undefined && (
          <a class="skip-link" href="#composer">
            Skip to writing a message
          </a>
        )}
        <Sidebar state={state} drawer={drawer} />
        {room === undefined ? (
          <NoRoom state={state} drawer={drawer} />
        ) : (
          <Conversation
            key={room.membership.room}
            state={state}
            room={room}
            drawer={drawer}
            showSide={showSide}
          />
        )}
        {room !== undefined && (
          <SidePanel
            key={`side ${room.membership.room}`}
            state={state}
            room={room}
            view={side}
            show={setSide}
            drawer={drawer}
          />
        )}
        <div class="backdrop" onClick={drawer.close} />
        <Toasts toasts={state.toasts} />
        <Dialogs
          key={wish === null ? "none" : wish.is}
          wish={wish}
          state={state}
          close={() => {
            // Only if it is still the same: one dialog may lead to another.
            setWish((now) => (now === wish ? null : now));
          }}
        />
      </div>
    </WishContext.Provider>
  );
}
