import { CalendarIcon, LockIcon, MoreIcon, PeopleIcon, SearchIcon } from "../../../shared/icons";
import type { Chatting, Room } from "../../state/model";
import type { SideView } from "../side/SidePanel";
import { useWish } from "../dialogs/wishes";
import { Menu, type MenuItem } from "../Menu";
import { useTools } from "../tools";

interface Props {
  state: Chatting;
  room: Room;
  showSide: (view: SideView) => void;
}

/** The room's name and topic, and what can be done with the room. */
export function RoomHead({ state, room, showSide }: Props) {
  const wish = useWish();
  const { name, kind, topic } = room.membership;
  const items = useRoomActions(state, room);
  return (
    <>
      <div class="conversation-title">
        <h1>
          <span class="title-mark" aria-hidden="true">
            {kind === "private" ? <LockIcon /> : kind === "public" ? "#" : ""}
          </span>
          <bdi data-testid="room-title">{name}</bdi>
        </h1>
        {topic !== "" && (
          <p class="topic" dir="auto" title={topic} data-testid="topic">
            {topic}
          </p>
        )}
      </div>
      <button
        type="button"
        class="icon-button"
        aria-label="Search in this room"
        title="Search in this room"
        data-testid="show-search"
        onClick={() => {
          showSide("search");
        }}
      >
        <SearchIcon />
      </button>
      <button
        type="button"
        class="icon-button wide-only"
        aria-label="Jump to a date"
        title="Jump to a date"
        data-testid="jump-to-date"
        onClick={() => {
          wish({ is: "date", room });
        }}
      >
        <CalendarIcon />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="People in this room"
        title="People in this room"
        data-testid="show-people"
        onClick={() => {
          showSide("people");
        }}
      >
        <PeopleIcon />
      </button>
      <Menu label="More about this room" testId="room-menu" class="icon-button" items={items}>
        <MoreIcon />
      </Menu>
    </>
  );
}

function useRoomActions(state: Chatting, room: Room): MenuItem[] {
  const { request, dispatch } = useTools();
  const wish = useWish();
  const { membership } = room;
  const moderates = membership.role !== "member" && membership.kind !== "direct";

  const set = async (settings: { room: string; muted?: boolean; order?: number }) => {
    const answer = await request("room.settings", settings);
    if (!answer.ok) dispatch({ type: "toast", text: answer.error.message });
    return answer.ok;
  };
  /** Changes places with the next room of the same list in that direction. */
  const move = async (step: 1 | -1) => {
    const list = state.rooms.filter(
      (other) => (other.membership.kind === "direct") === (membership.kind === "direct"),
    );
    const place = list.indexOf(room);
    const order = list.map(({ membership: { room: id } }) => id);
    if (place + step < 0 || place + step >= order.length) return;
    order.splice(place + step, 0, ...order.splice(place, 1));
    for (const [position, id] of order.entries()) {
      const known = list.find((other) => other.membership.room === id)?.membership.order;
      if (known !== position && !(await set({ room: id, order: position }))) return;
    }
  };

  const items: MenuItem[] = [
    {
      label: "Mute",
      testId: "toggle-mute",
      checked: membership.muted,
      pick: () => void set({ room: membership.room, muted: !membership.muted }),
    },
    {
      label: "Jump to a date",
      testId: "menu-date",
      pick: () => {
        wish({ is: "date", room });
      },
    },
    { label: "Move up in the list", testId: "move-up", pick: () => void move(-1) },
    { label: "Move down in the list", testId: "move-down", pick: () => void move(1) },
  ];
  if (moderates) {
    items.push(
      {
        label: "Change the topic",
        testId: "change-topic",
        pick: () => {
          wish({ is: "topic", room });
        },
      },
      {
        label: "Lift a ban",
        testId: "unban",
        pick: () => {
          wish({ is: "unban", room });
        },
      },
      {
        label: "Webhooks",
        testId: "webhooks",
        pick: () => {
          wish({ is: "webhooks", room });
        },
      },
    );
  }
  items.push({
    label: membership.kind === "direct" ? "Close this conversation" : "Leave room",
    testId: "leave-room",
    danger: true,
    pick: () => {
      wish({ is: "leave", room });
    },
  });
  return items;
}
