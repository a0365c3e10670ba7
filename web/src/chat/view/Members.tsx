import "./members.css";
import { useMemo } from "preact/hooks";
import { CloseIcon } from "../../shared/icons";
import type { Connection, Room } from "../state/model";
import type { Dispatch } from "../store";
import { Avatar } from "./Avatar";
import { mayForget } from "./mayForget";
import type { Drawer } from "./useDrawer";

/** A room of thousands must not make the page slow. */
const MEMBERS_SHOWN = 200;

interface Props {
  room: Room;
  connection: Connection;
  drawer: Drawer;
  dispatch: Dispatch;
}

/** Who is in the room, and the way out of it. */
export function Members({ room, connection, drawer, dispatch }: Props) {
  const self = connection.is === "online" ? connection.socketId : null;
  const sorted = useMemo(
    () => room.members.toSorted((a, b) => a.user.localeCompare(b.user) || a.id.localeCompare(b.id)),
    [room.members],
  );
  const hidden = sorted.length - MEMBERS_SHOWN;
  return (
    <aside class="members" aria-label={`Members of ${room.name}`} tabIndex={-1} ref={drawer.panels.members}>
      <header class="members-head">
        <h2>
          Members <span class="members-count">{room.members.length}</span>
        </h2>
        <button
          type="button"
          class="icon-button for-members-drawer"
          aria-label="Close the list of members"
          onClick={drawer.close}
        >
          <CloseIcon />
        </button>
      </header>
      <ul
        class={self === null ? "stale" : undefined}
        data-testid="member-list"
        data-count={room.members.length}
      >
        {sorted.slice(0, MEMBERS_SHOWN).map(({ id, user }) => (
          <li key={id} class="member" data-testid="member" data-user={user} data-id={id}>
            <Avatar user={user} />
            <bdi class="member-name">{user}</bdi>
            {id === self && <span class="member-self">you</span>}
          </li>
        ))}
      </ul>
      {hidden > 0 && <p class="members-hidden">and {hidden} more</p>}
      <footer class="members-foot">
        <button
          type="button"
          data-testid="leave-room"
          onClick={() => {
            if (!mayForget([room])) return;
            drawer.close();
            dispatch({ type: "leave room", room: room.name });
          }}
        >
          Leave room
        </button>
      </footer>
    </aside>
  );
}
