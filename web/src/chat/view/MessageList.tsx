import "./messageList.css";
import { useMemo } from "preact/hooks";
import { DownIcon } from "../../shared/icons";
import type { Room } from "../state/model";
import type { Dispatch } from "../store";
import { blocks } from "../text/blocks";
import { BlockView } from "./BlockView";
import { OutboxView } from "./OutboxView";
import { useStickToEnd } from "./useStickToEnd";

/** A room's messages. To be keyed by the room: a live region that changes its whole content would be read out. */
export function MessageList({ room, dispatch }: { room: Room; dispatch: Dispatch }) {
  const { entries, newFrom, outbox } = room;
  const { list, away, toEnd } = useStickToEnd(entries, outbox);
  // The same nodes while nothing changed: typing must not go through hundreds of messages.
  const shown = useMemo(
    () => blocks(entries, newFrom).map((block) => <BlockView key={block.key} block={block} />),
    [entries, newFrom],
  );
  return (
    <div class="messages">
      <div
        class="messages-scroll"
        ref={list}
        tabIndex={0}
        role="group"
        aria-label={`Messages in ${room.name}`}
      >
        {entries.length === 0 && outbox.length === 0 && <p class="messages-empty">{emptyText(room)}</p>}
        <div class="messages-log" role="log" aria-live="polite" data-testid="message-list">
          {shown}
        </div>
        <OutboxView room={room.name} outbox={outbox} dispatch={dispatch} />
      </div>
      {away !== null && (
        <button
          type="button"
          class="messages-pill"
          onClick={toEnd}
          data-testid="new-messages"
          data-count={away.missed}
        >
          <DownIcon />
          {away.missed === 0 ? "Latest" : `${away.missed} new ${away.missed === 1 ? "message" : "messages"}`}
        </button>
      )}
    </div>
  );
}

function emptyText(room: Room): string {
  if (room.membership.is !== "joined") return "Joining…";
  return room.members.length > 1
    ? "Nothing said since you came. Say hello!"
    : "You are the first one here. Say hello!";
}
