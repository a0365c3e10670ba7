import "./conversation.css";
import { PeopleIcon } from "../../shared/icons";
import type { Connection, Room } from "../state/model";
import type { Dispatch } from "../store";
import { Composer } from "./Composer";
import { ConversationHead } from "./ConversationHead";
import { MessageList } from "./MessageList";
import type { Drawer } from "./useDrawer";

interface Props {
  room: Room;
  unreadElsewhere: number;
  connection: Connection;
  messageLimit: number;
  drawer: Drawer;
  dispatch: Dispatch;
}

export function Conversation({ room, unreadElsewhere, connection, messageLimit, drawer, dispatch }: Props) {
  const title = (
    <h1 class="conversation-title">
      <bdi class="room-name">{room.name}</bdi>
    </h1>
  );
  return (
    <main class="conversation" inert={drawer.open !== null}>
      <ConversationHead
        title={title}
        unreadElsewhere={unreadElsewhere}
        connection={connection}
        drawer={drawer}
      >
        <button
          type="button"
          class="icon-button for-members-drawer"
          aria-label={`Show members, ${room.members.length}`}
          title="Members"
          data-testid="show-members"
          onClick={() => {
            drawer.show("members");
          }}
        >
          <PeopleIcon />
        </button>
      </ConversationHead>
      <MessageList key={room.name} room={room} dispatch={dispatch} />
      <Trouble room={room} connection={connection} dispatch={dispatch} />
      <Composer key={`write ${room.name}`} room={room} messageLimit={messageLimit} dispatch={dispatch} />
    </main>
  );
}

/** Why messages do not go out just now. */
function Trouble({ room, connection, dispatch }: Pick<Props, "room" | "connection" | "dispatch">) {
  if (connection.is !== "online") {
    return (
      <p class="trouble" data-testid="trouble">
        {connection.is === "connecting" ? "Connecting…" : "Connection lost. Looking for another way…"} What
        you send goes out when it is back.
      </p>
    );
  }
  if (room.membership.is === "failed") {
    return (
      <p class="trouble" data-testid="trouble">
        You are not in this room: {room.membership.problem}{" "}
        <button
          type="button"
          class="link-button"
          onClick={() => {
            dispatch({ type: "join room", room: room.name });
          }}
        >
          Try again
        </button>
      </p>
    );
  }
  return null;
}
