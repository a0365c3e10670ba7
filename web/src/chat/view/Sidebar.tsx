import "./sidebar.css";
import { useState } from "preact/hooks";
import { CloseIcon, LeaveIcon, PlusIcon } from "../../shared/icons";
import { ThemeButton } from "../../shared/ThemeButton";
import { Wordmark } from "../../shared/Wordmark";
import { unsent } from "../state/outbox";
import { offeredRooms } from "../state/offered";
import type { Chatting, Room } from "../state/model";
import type { Dispatch } from "../store";
import { Avatar } from "./Avatar";
import { mayForget } from "./mayForget";
import type { Drawer } from "./useDrawer";

interface Props {
  state: Chatting;
  dispatch: Dispatch;
  drawer: Drawer;
}

/** More would bury the rest; typing in the field above narrows the list down. */
const OFFERED_SHOWN = 30;

export function Sidebar({ state, dispatch, drawer }: Props) {
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
      <Rooms state={state} dispatch={dispatch} drawer={drawer} />
      <footer class="sidebar-foot">
        <Avatar user={state.user} />
        <bdi class="sidebar-user" data-testid="signed-in-as">
          {state.user}
        </bdi>
        <ThemeButton />
        <button
          type="button"
          class="icon-button"
          aria-label="Sign out"
          title="Sign out"
          data-testid="sign-out"
          onClick={() => {
            if (mayForget(state.rooms)) dispatch({ type: "sign out" });
          }}
        >
          <LeaveIcon />
        </button>
      </footer>
    </nav>
  );
}

function Rooms({ state, dispatch, drawer }: Props) {
  const [wanted, setWanted] = useState("");
  const join = (room: string) => {
    dispatch({ type: "join room", room });
    setWanted("");
    drawer.close();
  };
  const offered = offeredRooms(state, wanted).slice(0, OFFERED_SHOWN);

  return (
    <div class="sidebar-body">
      <form
        class="room-join"
        onSubmit={(event) => {
          event.preventDefault();
          join(wanted);
        }}
      >
        <input
          type="text"
          value={wanted}
          onInput={(event) => {
            setWanted(event.currentTarget.value);
          }}
          data-testid="room-join-input"
          aria-label="Join or create a room"
          placeholder="Join or create a room"
          autoComplete="off"
          spellcheck={false}
          dir="auto"
        />
        <button
          type="submit"
          class="icon-button"
          aria-label="Join room"
          title="Join room"
          disabled={wanted.trim() === ""}
          data-testid="room-join-button"
        >
          <PlusIcon />
        </button>
      </form>

      <h2>Your rooms</h2>
      <ul class="rooms" data-testid="room-list">
        {state.rooms.map((room) => (
          <RoomItem
            key={room.name}
            room={room}
            active={room.name === state.activeRoom}
            open={() => {
              dispatch({ type: "open room", room: room.name });
              drawer.close();
            }}
          />
        ))}
      </ul>
      {state.rooms.length === 0 && <p class="sidebar-hint">You are in no room yet.</p>}

      {offered.length > 0 && (
        <>
          <h2>More rooms</h2>
          <ul class="rooms" data-testid="suggested-rooms">
            {offered.map(({ room, members }) => (
              <li key={room}>
                <button
                  type="button"
                  class="room offered"
                  data-testid="suggested-room"
                  data-room={room}
                  onClick={() => {
                    join(room);
                  }}
                >
                  <bdi class="room-name">{room}</bdi>
                  {members > 0 && (
                    <span class="room-size" title={`${members} in this room`}>
                      {members}
                      <span class="visually-hidden"> in this room</span>
                    </span>
                  )}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function RoomItem({ room, active, open }: { room: Room; active: boolean; open: () => void }) {
  const waiting = unsent(room.outbox).length > 0 || room.draft.trim() !== "";
  return (
    <li>
      <button
        type="button"
        class="room"
        aria-current={active ? "page" : undefined}
        data-testid="room"
        data-room={room.name}
        data-unread={room.unread}
        data-membership={room.membership.is}
        onClick={open}
      >
        <bdi class="room-name">{room.name}</bdi>
        {waiting && !active && <span class="room-draft">unsent</span>}
        {room.unread > 0 && (
          <span class="room-unread">
            {room.unread > 99 ? "99+" : room.unread}
            <span class="visually-hidden"> unread</span>
          </span>
        )}
      </button>
    </li>
  );
}
