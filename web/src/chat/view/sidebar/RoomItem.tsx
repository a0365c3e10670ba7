import { LockIcon, MutedIcon } from "../../../shared/icons";
import type { Room } from "../../state/model";
import { Avatar } from "../Avatar";

export function RoomItem({ room, active, open }: { room: Room; active: boolean; open: () => void }) {
  const { name, kind, unread, muted, peer } = room.membership;
  const unsent = room.outbox.length > 0;
  const draft =
    !active && room.composing.is !== "edit" && (room.draft.trim() !== "" || room.uploads.length > 0);
  return (
    <li>
      <button
        type="button"
        class="room"
        aria-current={active ? "page" : undefined}
        data-testid="room"
        data-room={name}
        data-kind={kind}
        data-unread={unread}
        data-muted={muted}
        onClick={open}
      >
        <span class="room-mark" aria-hidden="true">
          {kind === "direct" ? <Avatar name={name} small /> : kind === "private" ? <LockIcon /> : "#"}
        </span>
        {kind === "private" && <span class="visually-hidden">Private room</span>}
        <bdi class="room-name">{name}</bdi>
        {peer?.kind === "guest" && <span class="guest-mark">guest</span>}
        {unsent ? (
          <span class="room-draft">unsent</span>
        ) : (
          draft && <span class="room-draft quiet">draft</span>
        )}
        {muted && (
          <>
            <MutedIcon />
            <span class="visually-hidden">muted</span>
          </>
        )}
        {unread > 0 && (
          <span class="room-unread">
            {unread > 99 ? "99+" : unread}
            <span class="visually-hidden"> unread</span>
          </span>
        )}
      </button>
    </li>
  );
}
