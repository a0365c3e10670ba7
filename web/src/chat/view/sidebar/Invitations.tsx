import type { Invitation } from "../../protocol";
import { useEnter } from "../dialogs/RoomDialogs";
import { useTools } from "../tools";
import type { Drawer } from "../useDrawer";

export function Invitations({ invitations, drawer }: { invitations: readonly Invitation[]; drawer: Drawer }) {
  const { request, dispatch } = useTools();
  const enter = useEnter();
  if (invitations.length === 0) return null;

  const accept = async ({ room }: Invitation) => {
    const answer = await request("room.join", { room });
    if (answer.ok) {
      enter(answer.membership);
      drawer.close();
    } else {
      dispatch({ type: "toast", text: answer.error.message });
    }
  };
  const decline = async ({ room }: Invitation) => {
    const answer = await request("room.decline", { room });
    if (answer.ok) dispatch({ type: "invitation gone", room });
    else dispatch({ type: "toast", text: answer.error.message });
  };

  return (
    <section class="room-group">
      <header>
        <h2>Invitations</h2>
      </header>
      <ul class="invitations">
        {invitations.map((invitation) => (
          <li key={invitation.room} class="invitation" data-testid="invitation" data-room={invitation.name}>
            <p>
              <bdi class="invitation-by">{invitation.by}</bdi> invites you to{" "}
              <bdi class="invitation-room">#{invitation.name}</bdi>
            </p>
            <div>
              <button
                type="button"
                class="primary"
                data-testid="accept-invitation"
                onClick={() => void accept(invitation)}
              >
                Join
              </button>
              <button type="button" data-testid="decline-invitation" onClick={() => void decline(invitation)}>
                Decline
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
