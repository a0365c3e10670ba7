import { useMemo } from "preact/hooks";
import { MoreIcon } from "../../../shared/icons";
import type { Person, Role } from "../../protocol";
import type { Chatting, Room } from "../../state/model";
import { peopleOf, type RoomPerson } from "../../state/people";
import { roomTitle } from "../../state/within";
import { Avatar } from "../Avatar";
import { useEnter } from "../dialogs/RoomDialogs";
import { useWish } from "../dialogs/wishes";
import { Menu, type MenuItem } from "../Menu";
import { useTools } from "../tools";
import type { Drawer } from "../useDrawer";

interface Props {
  state: Chatting;
  room: Room;
  drawer: Drawer;
}

/** Who is in the room: those who are there now, then those who are not. */
export function People({ state, room, drawer }: Props) {
  const { dispatch } = useTools();
  const wish = useWish();
  const people = useMemo(
    () => peopleOf(room.presence, room.members, state.person),
    [room.presence, room.members, state.person],
  );
  const { membership } = room;
  const stale = state.connection.is !== "online";
  const othersTitle = people.othersAbsent ? "Not here now" : "Other members";
  return (
    <>
      <div class={stale ? "side-body stale" : "side-body"}>
        <ul
          class="people"
          data-testid="present-list"
          data-count={people.present.length}
          aria-label="Here now"
        >
          {people.present.map((person) => (
            <PersonItem key={person.name} person={person} present state={state} room={room} drawer={drawer} />
          ))}
        </ul>
        {people.hidden > 0 && room.presence.persons !== null && (
          <More
            label={`Show more of ${people.hidden} others here`}
            testId="more-persons"
            show={() => {
              dispatch({ type: "list more persons", room: membership.room });
            }}
          />
        )}
        {people.others.length > 0 && (
          <>
            <h3>{othersTitle}</h3>
            <ul class="people" data-testid="other-members" aria-label={othersTitle}>
              {people.others.map((person) => (
                <PersonItem
                  key={person.name}
                  person={person}
                  present={false}
                  state={state}
                  room={room}
                  drawer={drawer}
                />
              ))}
            </ul>
          </>
        )}
        {room.members?.next != null && (
          <More
            label="Show more members"
            testId="more-members"
            show={() => {
              dispatch({ type: "list more members", room: membership.room });
            }}
          />
        )}
      </div>
      {membership.kind !== "direct" && (
        <footer class="side-foot">
          <button
            type="button"
            data-testid="invite"
            onClick={() => {
              wish({ is: "invite", room });
            }}
          >
            Invite to {roomTitle(membership)}
          </button>
        </footer>
      )}
    </>
  );
}

function More({ label, testId, show }: { label: string; testId: string; show: () => void }) {
  return (
    <button type="button" class="people-more link-button" data-testid={testId} onClick={show}>
      {label}
    </button>
  );
}

interface ItemProps extends Props {
  person: RoomPerson;
  present: boolean;
}

function PersonItem({ person, present, state, room, drawer }: ItemProps) {
  const { name, kind, role } = person;
  const self = name === state.person.name;
  const items = usePersonActions({ person, present, state, room, drawer });
  return (
    <li
      class={present ? "person" : "person absent"}
      data-testid="person"
      data-name={name}
      data-present={present}
      data-role={role ?? ""}
    >
      <Avatar name={name} small />
      <bdi class="person-name" title={name}>
        {name}
      </bdi>
      <PersonMarks kind={kind} role={role} self={self} />
      {items.length > 0 && (
        <Menu
          label={`What to do with ${name}`}
          testId="person-menu"
          class="icon-button small person-more"
          items={items}
        >
          <MoreIcon />
        </Menu>
      )}
    </li>
  );
}

function PersonMarks({ kind, role, self }: { kind: Person["kind"]; role: Role | null; self: boolean }) {
  return (
    <>
      {self && <span class="person-mark">you</span>}
      {kind === "guest" && <span class="guest-mark">guest</span>}
      {(role === "owner" || role === "moderator") && <span class="person-mark role">{role}</span>}
    </>
  );
}

function usePersonActions({ person: { name, role }, state, room, drawer }: ItemProps): MenuItem[] {
  const { request, dispatch } = useTools();
  const wish = useWish();
  const enter = useEnter();
  const { membership } = room;
  if (name === state.person.name || membership.kind === "direct") return [];

  const moderates = membership.role !== "member" && role !== "owner";
  const direct = async () => {
    const answer = await request("room.direct", { name });
    if (answer.ok) {
      enter(answer.membership);
      drawer.close();
    } else {
      dispatch({ type: "toast", text: answer.error.message });
    }
  };
  const appoint = async (to: "moderator" | "member") => {
    const answer = await request("room.role", { room: membership.room, name, role: to });
    if (!answer.ok) dispatch({ type: "toast", text: answer.error.message });
  };

  const items: MenuItem[] = [{ label: "Direct message", testId: "person-direct", pick: () => void direct() }];
  if (membership.role === "owner" && role === "member") {
    items.push({
      label: "Make moderator",
      testId: "person-promote",
      pick: () => void appoint("moderator"),
    });
  }
  if (membership.role === "owner" && role === "moderator") {
    items.push({
      label: "Moderator no longer",
      testId: "person-demote",
      pick: () => void appoint("member"),
    });
  }
  if (moderates) {
    const out = (label: string, testId: string, ban: boolean): MenuItem => ({
      label,
      testId,
      danger: true,
      pick: () => {
        wish({ is: "remove person", room, name, ban });
      },
    });
    items.push(out("Remove from room", "person-remove", false), out("Ban from room", "person-ban", true));
  }
  return items;
}
