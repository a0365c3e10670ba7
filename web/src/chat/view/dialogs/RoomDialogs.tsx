import { useState } from "preact/hooks";
import type { Membership } from "../../protocol";
import type { Chatting, Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import { useTools } from "../tools";
import { FormDialog } from "./FormDialog";

interface Props {
  close: () => void;
}

interface OfRoom extends Props {
  room: Room;
}

const LONGEST_ROOM_NAME = 64;
const LONGEST_TOPIC = 200;

/** Shows a room that the person has come into just now; the server's word of it may be on its way. */
export function useEnter(): (membership: Membership) => void {
  const { dispatch } = useTools();
  return (membership) => {
    dispatch({ type: "room joined", membership });
    dispatch({ type: "open room", room: membership.room });
  };
}

export function CreateRoom({ name, close }: Props & { name: string }) {
  const { request } = useTools();
  const enter = useEnter();
  const [kind, setKind] = useState<"public" | "private">("public");
  return (
    <FormDialog
      title="New room"
      testId="create-room-dialog"
      lead={
        <span class="choice" role="radiogroup" aria-label="Who may join">
          {(["public", "private"] as const).map((option) => (
            <label key={option}>
              <input
                type="radio"
                name="kind"
                value={option}
                checked={kind === option}
                data-testid={`kind-${option}`}
                onChange={() => {
                  setKind(option);
                }}
              />
              <span>
                <strong>{option === "public" ? "Public" : "Private"}</strong>
                {option === "public" ? "Everybody can find and join it." : "Only who is invited can join it."}
              </span>
            </label>
          ))}
        </span>
      }
      fields={[
        { name: "name", label: "Name", initial: name, maxLength: LONGEST_ROOM_NAME },
        { name: "topic", label: "Topic (optional)", required: false, maxLength: LONGEST_TOPIC },
      ]}
      button="Create"
      submit={async ({ name: wanted = "", topic = "" }) => {
        const answer = await request("room.create", { name: wanted, kind, ...(topic !== "" && { topic }) });
        if (answer.ok) enter(answer.membership);
        return answer;
      }}
      close={close}
    />
  );
}

export function Direct({ state, close }: Props & { state: Chatting }) {
  const { request } = useTools();
  const enter = useEnter();
  const known = state.rooms.flatMap(({ presence, members }) => [
    ...(presence.persons ?? []),
    ...(members?.members ?? []),
  ]);
  const names = [...new Set(known.map(({ name }) => name))]
    .filter((name) => name !== state.person.name)
    .sort();
  return (
    <FormDialog
      title="New direct message"
      testId="direct-dialog"
      fields={[{ name: "name", label: "To whom", suggestions: names }]}
      button="Start"
      submit={async ({ name = "" }) => {
        const answer = await request("room.direct", { name });
        if (answer.ok) enter(answer.membership);
        return answer;
      }}
      close={close}
    />
  );
}

export function Invite({ room: { membership }, close }: OfRoom) {
  const { request, dispatch } = useTools();
  const [invited, setInvited] = useState("");
  return (
    <FormDialog
      title={`Invite to ${roomTitle(membership)}`}
      testId="invite-dialog"
      fields={[{ name: "name", label: "Whom" }]}
      button="Invite"
      submit={({ name = "" }) => {
        setInvited(name);
        return request("room.invite", { room: membership.room, name });
      }}
      done={() => {
        dispatch({ type: "toast", text: `${invited} is invited.` });
      }}
      close={close}
    />
  );
}

export function Topic({ room: { membership }, close }: OfRoom) {
  const { request } = useTools();
  return (
    <FormDialog
      title={`Topic of ${roomTitle(membership)}`}
      testId="topic-dialog"
      fields={[
        {
          name: "topic",
          label: "Topic",
          initial: membership.topic,
          required: false,
          maxLength: LONGEST_TOPIC,
        },
      ]}
      button="Save"
      submit={({ topic = "" }) => request("room.topic", { room: membership.room, topic })}
      close={close}
    />
  );
}

export function JumpToDate({ room: { membership }, close }: OfRoom) {
  const { dispatch } = useTools();
  const today = new Date().toLocaleDateString("sv");
  return (
    <FormDialog
      title="Jump to a date"
      testId="date-dialog"
      fields={[{ name: "date", label: "Date", type: "date", initial: today, max: today }]}
      button="Show"
      submit={({ date = "" }) => {
        const time = new Date(`${date}T00:00`).getTime();
        dispatch({ type: "jump to date", room: membership.room, time });
        return Promise.resolve({ ok: true });
      }}
      close={close}
    />
  );
}

export function Leave({ room: { membership, outbox }, close }: OfRoom) {
  const { request } = useTools();
  const again = membership.kind === "private" ? " You need an invitation to come back." : "";
  const unsent = outbox.length > 0 ? " What has not been sent here is discarded." : "";
  return (
    <FormDialog
      title={`Leave ${roomTitle(membership)}?`}
      testId="leave-dialog"
      lead={`The room goes from your list.${again}${unsent}`}
      button="Leave"
      submit={() => request("room.leave", { room: membership.room })}
      close={close}
    />
  );
}
