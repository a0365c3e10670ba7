import "./sidePanel.css";
import { CloseIcon } from "../../../shared/icons";
import type { Chatting, Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import type { Drawer } from "../useDrawer";
import { People } from "./People";
import { Search } from "./Search";

export type SideView = "people" | "search";

interface Props {
  state: Chatting;
  room: Room;
  view: SideView;
  show: (view: SideView) => void;
  drawer: Drawer;
}

/** Beside the conversation: who is in the room, or what was found in it. */
export function SidePanel({ state, room, view, show, drawer }: Props) {
  return (
    <aside
      class="side"
      aria-label={`About ${roomTitle(room.membership)}`}
      tabIndex={-1}
      ref={drawer.panels.side}
      data-view={view}
    >
      <header class="side-head">
        <h2>{view === "people" ? <PeopleTitle room={room} /> : "Search"}</h2>
        {view === "search" && (
          <button
            type="button"
            class="link-button side-back"
            onClick={() => {
              show("people");
            }}
          >
            Show people
          </button>
        )}
        <button
          type="button"
          class="icon-button for-side-drawer"
          aria-label="Close"
          data-testid="close-side"
          onClick={drawer.close}
        >
          <CloseIcon />
        </button>
      </header>
      {view === "people" ? (
        <People state={state} room={room} drawer={drawer} />
      ) : (
        <Search room={room} drawer={drawer} />
      )}
    </aside>
  );
}

function PeopleTitle({ room: { presence } }: { room: Room }) {
  return (
    <>
      People{" "}
      {presence.count !== null && (
        <span class="side-count" data-testid="presence-count">
          {presence.count} here
        </span>
      )}
    </>
  );
}
