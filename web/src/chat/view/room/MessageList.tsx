import "./messageList.css";
import { useCallback, useMemo, useState } from "preact/hooks";
import { DownIcon } from "../../../shared/icons";
import type { Room } from "../../state/model";
import { atEnd, lastNumber } from "../../state/timeline";
import { roomTitle } from "../../state/within";
import { rows } from "../../text/rows";
import { dayName } from "../../text/times";
import { useWish } from "../dialogs/wishes";
import { useTools } from "../tools";
import { type MessageActions, MessageRow } from "./MessageRow";
import { OutboxView } from "./OutboxView";
import { useScroll } from "./useScroll";

interface Props {
  room: Room;
  self: string;
  names: readonly string[];
  online: boolean;
}

/** A room's messages. To be keyed by the room: a live region that changes its whole content would be read out. */
export function MessageList({ room, self, names, online }: Props) {
  const { dispatch, dispatchSoon } = useTools();
  const { timeline, outbox, newFrom, membership } = room;
  const id = membership.room;
  const [choosing, setChoosing] = useState<number | null>(null);
  const actions = useActions(room, setChoosing);
  const loadOlder = useCallback(() => {
    dispatchSoon({ type: "load older", room: id });
  }, [dispatchSoon, id]);
  const loadNewer = useCallback(() => {
    dispatchSoon({ type: "load newer", room: id });
  }, [dispatchSoon, id]);
  const { list, leftAt, toEnd } = useScroll(room, { loadOlder, loadNewer });
  const moderates = membership.role !== "member" && membership.kind !== "direct";

  // The same nodes while nothing changed: typing must not go through hundreds of messages.
  const shown = useMemo(
    () =>
      rows(timeline.messages, newFrom).map((row) => {
        switch (row.type) {
          case "day":
            return (
              <p key={row.key} class="day-mark">
                <span>{dayName(row.at, Date.now())}</span>
              </p>
            );
          case "new":
            return (
              <p key={row.key} class="new-mark" data-testid="new-mark">
                <span>New</span>
              </p>
            );
          case "message":
            return (
              <MessageRow
                key={row.key}
                message={row.message}
                first={row.first}
                self={self}
                names={names}
                moderates={moderates}
                choosing={row.message.number === choosing}
                actions={actions}
              />
            );
        }
      }),
    [timeline.messages, newFrom, self, names, moderates, choosing, actions],
  );

  const behind = !atEnd(timeline) && timeline.loaded;
  return (
    <div class="messages">
      <div
        class="messages-scroll"
        ref={list}
        tabIndex={0}
        role="group"
        aria-label={`Messages in ${roomTitle(membership)}`}
        data-testid="messages"
        data-loaded={timeline.loaded}
        data-first={timeline.messages[0]?.number ?? 0}
        data-last={lastNumber(timeline)}
        onKeyDown={moveBetweenRows}
      >
        <Beginning room={room} />
        <div class="messages-log" role="log" aria-live="polite" data-testid="message-list">
          {shown}
        </div>
        <OutboxView room={id} outbox={outbox} self={self} names={names} online={online} />
      </div>
      {(behind || leftAt !== null) && (
        <Pill
          missed={missedSince(room, leftAt)}
          toEnd={() => {
            toEnd();
            dispatch({ type: "to newest", room: id });
          }}
        />
      )}
    </div>
  );
}

function useActions(room: Room, setChoosing: (number: number | null) => void): MessageActions {
  const { dispatch, request } = useTools();
  const wish = useWish();
  const id = room.membership.room;
  // For a dialog, which asks about the room as it is then.
  const { membership } = room;
  return useMemo(
    () => ({
      reply: (message) => {
        dispatch({ type: "reply", room: id, message });
      },
      edit: (message) => {
        dispatch({ type: "edit", room: id, message });
      },
      remove: (message) => {
        wish({ is: "delete message", membership, message });
      },
      react: (message, emoji, on) => {
        void request("message.react", { room: id, number: message.number, emoji, on }).then((answer) => {
          if (answer.ok) dispatch({ type: "message changed", message: answer.message });
          else dispatch({ type: "toast", text: answer.error.message });
        });
      },
      choose: (message) => {
        setChoosing(message?.number ?? null);
      },
      jump: (number) => {
        dispatch({ type: "jump", room: id, number });
      },
    }),
    [dispatch, request, wish, id, membership, setChoosing],
  );
}

/** What stands above the first message: that it is the first, or that more is being loaded. */
function Beginning({ room: { timeline, membership } }: { room: Room }) {
  const { dispatch } = useTools();
  if (timeline.problem !== null) {
    return (
      <p class="beginning" role="alert">
        {timeline.problem}{" "}
        <button
          type="button"
          class="link-button"
          onClick={() => {
            dispatch({ type: timeline.loaded ? "load older" : "to newest", room: membership.room });
          }}
        >
          Try again
        </button>
      </p>
    );
  }
  if (!timeline.loaded || !timeline.atStart) {
    return (
      <p class="beginning loading" aria-hidden={timeline.loading === null}>
        {timeline.loading === null ? "" : "Loading…"}
      </p>
    );
  }
  return (
    <div class="beginning start">
      <h2>{membership.kind === "direct" ? membership.name : roomTitle(membership)}</h2>
      <p>
        {membership.kind === "direct"
          ? `Your conversation with ${membership.name} begins here. Only the two of you can read it.`
          : membership.kind === "private"
            ? "This private room begins here. Only who is invited can read it."
            : "This room begins here. Everybody can find and join it."}
      </p>
    </div>
  );
}

function Pill({ missed, toEnd }: { missed: number; toEnd: () => void }) {
  return (
    <button type="button" class="messages-pill" onClick={toEnd} data-testid="to-newest" data-count={missed}>
      <DownIcon />
      {missed === 0 ? "Latest" : `${missed} new ${missed === 1 ? "message" : "messages"}`}
    </button>
  );
}

/** What has been said since the reader scrolled back. */
function missedSince({ timeline }: Room, leftAt: number | null): number {
  return leftAt === null ? 0 : Math.max(0, timeline.newest - leftAt);
}

/** Arrow keys go from message to message; what can be done with one comes next by Tab. */
function moveBetweenRows(event: KeyboardEvent): void {
  const { currentTarget: list, target } = event;
  if (!(list instanceof HTMLElement) || !(target instanceof HTMLElement)) return;
  const onRow = target.matches(".row");
  if (target !== list && !onRow) return;
  const all = [...list.querySelectorAll<HTMLElement>(".messages-log .row")];
  const place = onRow ? all.indexOf(target) : all.length;
  const to = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || (event.key === "ArrowDown" && !onRow)) return;
  event.preventDefault();
  const next = all[Math.max(0, Math.min(to, all.length - 1))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
