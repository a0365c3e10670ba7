import type { Membership, Message } from "../../protocol";
import type { Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import { summary } from "../../text/summary";
import { useTools } from "../tools";
import { FormDialog } from "./FormDialog";

interface Props {
  room: Room;
  close: () => void;
}

interface OfMessage {
  membership: Membership;
  message: Message;
  close: () => void;
}

export function DeleteMessage({ membership, message, close }: OfMessage) {
  const { request, dispatch } = useTools();
  return (
    <FormDialog
      title="Delete this message?"
      testId="delete-message-dialog"
      lead={
        <>
          <q>{summary(message).slice(0, 120)}</q> by {message.author.name}. Its text and its files are gone
          for good.
        </>
      }
      button="Delete"
      danger
      submit={async () => {
        const answer = await request("message.delete", { room: membership.room, number: message.number });
        if (answer.ok) dispatch({ type: "message changed", message: answer.message });
        return answer;
      }}
      close={close}
    />
  );
}

export function RemovePerson({
  room: { membership },
  name,
  ban,
  close,
}: Props & { name: string; ban: boolean }) {
  const { request } = useTools();
  return (
    <FormDialog
      title={`${ban ? "Ban" : "Remove"} ${name}?`}
      testId="remove-person-dialog"
      lead={
        ban
          ? `${name} has to leave ${roomTitle(membership)}, and cannot come back until the ban is lifted.`
          : `${name} has to leave ${roomTitle(membership)}, and may come back${membership.kind === "private" ? " when invited" : ""}.`
      }
      button={ban ? "Ban" : "Remove"}
      danger
      submit={() => request(ban ? "room.ban" : "room.remove", { room: membership.room, name })}
      close={close}
    />
  );
}

export function Unban({ room: { membership }, close }: Props) {
  const { request } = useTools();
  return (
    <FormDialog
      title="Lift a ban"
      testId="unban-dialog"
      lead={`Who was banned from ${roomTitle(membership)} may join again.`}
      fields={[{ name: "name", label: "Whose" }]}
      button="Lift the ban"
      submit={({ name = "" }) => request("room.unban", { room: membership.room, name })}
      close={close}
    />
  );
}
