import "./sidebar.css";
import { CloseIcon, PlusIcon, SearchIcon } from "../../../shared/icons";
import { Wordmark } from "../../../shared/Wordmark";
import type { Chatting, Room } from "../../state/model";
import { useWish } from "../dialogs/wishes";
import { useTools } from "../tools";
import type { Drawer } from "../useDrawer";
import { AccountMenu } from "./AccountMenu";
import { Invitations } from "./Invitations";
import { RoomItem } from "./RoomItem";

interface Props {
  state: Chatting;
  drawer: Drawer;
}

export function Sidebar({ state, drawer }: Props) {
  const wish = useWish();
  const groups = state.rooms.filter(({ membership }) => membership.kind !== "direct");
  const directs = state.rooms.filter(({ membership }) => membership.kind === "direct");
  return (
    <nav class="sidebar" aria-label="Rooms" tabIndex={-1} ref={drawer.panels.rooms}>
      <header class="sidebar-head">
        <Wordmark />
        <button
          type="button"
          class="icon-button for-rooms-drawer"
          aria-label="Close the list of rooms"
          onClick={drawer.close}
        >
          <CloseIcon />
        </button>
      </header>
      <div class="sidebar-body">
        <button
          type="button"
          class="find-rooms"
          data-testid="find-rooms"
          onClick={() => {
            wish({ is: "browse rooms" });
          }}
        >
          <SearchIcon />
          <span>Find rooms</span>
          <kbd>Ctrl K</kbd>
        </button>
        <Invitations invitations={state.invitations} drawer={drawer} />
        <Group
          title="Rooms"
          add="New room"
          testId="create-room"
          onAdd={() => {
            wish({ is: "create room", name: "" });
          }}
          rooms={groups}
          state={state}
          drawer={drawer}
          empty={state.welcomed ? "You are in no room. Find one, or make your own." : "Loading…"}
        />
        <Group
          title="Direct messages"
          add="New direct message"
          testId="start-direct"
          onAdd={() => {
            wish({ is: "direct message" });
          }}
          rooms={directs}
          state={state}
          drawer={drawer}
          empty={state.welcomed ? "Nobody yet." : ""}
        />
      </div>
      <AccountMenu state={state} />
    </nav>
  );
}

interface GroupProps extends Props {
  title: string;
  add: string;
  testId: string;
  onAdd: () => void;
  rooms: readonly Room[];
  empty: string;
}

function Group({ title, add, testId, onAdd, rooms, state, drawer, empty }: GroupProps) {
  const { dispatch } = useTools();
  return (
    <section class="room-group">
      <header>
        <h2>{title}</h2>
        <button
          type="button"
          class="icon-button small"
          aria-label={add}
          title={add}
          data-testid={testId}
          onClick={onAdd}
        >
          <PlusIcon />
        </button>
      </header>
      <ul class="rooms">
        {rooms.map((room) => (
          <RoomItem
            key={room.membership.room}
            room={room}
            active={room.membership.room === state.activeRoom}
            open={() => {
              dispatch({ type: "open room", room: room.membership.room });
              drawer.close();
            }}
          />
        ))}
      </ul>
      {rooms.length === 0 && empty !== "" && <p class="sidebar-hint">{empty}</p>}
    </section>
  );
}
