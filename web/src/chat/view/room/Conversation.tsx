import "./conversation.css";
import { useCallback, useMemo, useState } from "preact/hooks";
import type { Chatting, Connection, Room } from "../../state/model";
import type { SideView } from "../side/SidePanel";
import type { Drawer } from "../useDrawer";
import { Composer } from "./Composer";
import { ConversationHead } from "./ConversationHead";
import { MessageList } from "./MessageList";
import { NoteView, type Note } from "./Note";
import { RoomHead } from "./RoomHead";
import { TypingLine } from "./TypingLine";
import { useAttach, useDrop } from "./useFiles";

interface Props {
  state: Chatting;
  room: Room;
  drawer: Drawer;
  showSide: (view: SideView) => void;
}

/** One room: what was said, and where to say more. To be keyed by the room. */
export function Conversation({ state, room, drawer, showSide }: Props) {
  const [note, setNote] = useState<Note | null>(null);
  const dismiss = useCallback(() => {
    setNote(null);
  }, []);
  const names = useNames(state, room);
  const attach = useAttach(room.membership.room);
  const drop = useDrop(attach);
  const elsewhere = state.rooms.reduce(
    (sum, { membership }) =>
      sum + (membership.room === room.membership.room || membership.muted ? 0 : membership.unread),
    0,
  );
  return (
    <main class="conversation" inert={drawer.open !== null} {...drop.handlers}>
      <ConversationHead unreadElsewhere={elsewhere} connection={state.connection} drawer={drawer}>
        <RoomHead state={state} room={room} showSide={showSide} />
      </ConversationHead>
      <MessageList
        room={room}
        self={state.person.name}
        names={names}
        online={state.connection.is === "online"}
      />
      <Offline connection={state.connection} />
      {note !== null && <NoteView note={note} dismiss={dismiss} />}
      <Composer state={state} room={room} names={names} attach={attach} setNote={setNote} />
      <TypingLine typing={room.typing} />
      {drop.over && <p class="drop-zone">Drop files to add them to your message</p>}
    </main>
  );
}

/** Whom one can call here. The same array while the people are the same: messages are read again when it changes. */
function useNames(state: Chatting, { members, presence, membership }: Room): readonly string[] {
  const self = state.person.name;
  const peer = membership.peer?.name ?? self;
  const joined = useMemo(() => {
    const all = new Set([self, peer]);
    for (const { name } of members?.members ?? []) all.add(name);
    for (const { name } of presence.persons ?? []) all.add(name);
    return [...all].sort().join("\n");
  }, [self, peer, members, presence.persons]);
  return useMemo(() => joined.split("\n"), [joined]);
}

/** A moment without a connection is the badge's affair; a longer one is said plainly. */
function Offline({ connection }: { connection: Connection }) {
  if (connection.is !== "reconnecting" || !connection.long) return null;
  return (
    <p class="offline" role="status" data-testid="offline">
      <strong>You are offline.</strong> What you write is kept, and sent when the connection is back.
    </p>
  );
}
