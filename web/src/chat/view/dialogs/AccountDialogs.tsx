import { useState } from "preact/hooks";
import { type Answer, LONGEST_NAME, LONGEST_PASSWORD, SHORTEST_PASSWORD } from "../../protocol";
import type { Chatting } from "../../state/model";
import { useTools } from "../tools";
import { Copyable } from "./Copyable";
import { Dialog } from "./Dialog";
import { FormDialog } from "./FormDialog";

interface Props {
  close: () => void;
}

export function Rename({ name, close }: Props & { name: string }) {
  const { account, dispatch } = useTools();
  return (
    <FormDialog
      title="Change your name"
      testId="rename-dialog"
      fields={[{ name: "name", label: "Name", initial: name, maxLength: LONGEST_NAME }]}
      button="Change"
      submit={async ({ name: wanted = "" }) => {
        const answer = await account.guest(wanted);
        if (answer.ok) dispatch({ type: "person changed", person: answer.person });
        return answer;
      }}
      close={close}
    />
  );
}

export function Password({ close }: Props) {
  const { account, dispatch } = useTools();
  return (
    <FormDialog
      title="Change password"
      testId="password-dialog"
      lead="You stay signed in here, and are signed out everywhere else."
      fields={[
        {
          name: "current",
          label: "Current password",
          type: "password",
          autoComplete: "current-password",
          maxLength: LONGEST_PASSWORD,
        },
        {
          name: "new",
          label: "New password",
          type: "password",
          autoComplete: "new-password",
          hint: `At least ${SHORTEST_PASSWORD} characters.`,
          minLength: SHORTEST_PASSWORD,
          maxLength: LONGEST_PASSWORD,
        },
      ]}
      button="Change"
      submit={({ current = "", new: next = "" }) => account.changePassword(current, next)}
      done={() => {
        dispatch({ type: "toast", text: "The password is changed." });
      }}
      close={close}
    />
  );
}

export function Token({ close }: Props) {
  const { account } = useTools();
  const [token, setToken] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const run = async (what: () => Promise<Answer<{ token?: string }>>) => {
    setProblem("");
    const answer = await what();
    if (answer.ok) setToken(answer.token ?? "");
    else setProblem(answer.error.message);
  };
  return (
    <Dialog title="Token for programs" testId="token-dialog" close={close}>
      <div class="form">
        <p class="dialog-lead">
          A program with this token can read and write in your rooms, as you. There is one at a time: a new
          one ends the former.
        </p>
        {token !== null && token !== "" && <Copyable label="Shown this once:" text={token} testId="token" />}
        {token === "" && (
          <p role="status" data-testid="no-token">
            There is no token now.
          </p>
        )}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <button
            type="button"
            data-testid="revoke-token"
            onClick={() => void run(() => account.revokeToken())}
          >
            Revoke
          </button>
          <button
            type="button"
            class="primary"
            data-testid="make-token"
            onClick={() => void run(() => account.token())}
          >
            Make a token
          </button>
        </div>
      </div>
    </Dialog>
  );
}

/** Messages that nobody has received would be thrown away. */
function unsentWarning({ rooms }: Chatting): string {
  const count = rooms.reduce((sum, { outbox }) => sum + outbox.length, 0);
  if (count === 0) return "";
  return ` ${count === 1 ? "One message has" : `${count} messages have`} not been sent, and will be discarded.`;
}

function useSignOut(name: string): (ask: () => Promise<Answer>) => Promise<Answer> {
  const { dispatch, forget } = useTools();
  return async (ask) => {
    dispatch({ type: "signing out", under: true });
    const answer = await ask();
    if (answer.ok) {
      forget(name);
      dispatch({ type: "sign out done" });
    } else {
      dispatch({ type: "signing out", under: false });
    }
    return answer;
  };
}

export function SignOut({ state, close }: Props & { state: Chatting }) {
  const { account } = useTools();
  const signOut = useSignOut(state.person.name);
  const guest =
    state.person.kind === "guest" ? " Your name will be free for others, and your rooms will be gone." : "";
  return (
    <FormDialog
      title="Sign out?"
      testId="sign-out-dialog"
      lead={`You are signed out in all tabs of this browser.${guest}${unsentWarning(state)}`}
      button="Sign out"
      submit={() => signOut(() => account.signOut())}
      close={close}
    />
  );
}

export function SignOutEverywhere({ state, close }: Props & { state: Chatting }) {
  const { account } = useTools();
  const signOut = useSignOut(state.person.name);
  return (
    <FormDialog
      title="Sign out everywhere?"
      testId="sign-out-everywhere-dialog"
      lead={`You are signed out on all devices, this one included.${unsentWarning(state)}`}
      button="Sign out everywhere"
      submit={() => signOut(() => account.signOutEverywhere())}
      close={close}
    />
  );
}

export function DeleteAccount({ name, close }: Props & { name: string }) {
  const { account } = useTools();
  const signOut = useSignOut(name);
  return (
    <FormDialog
      title="Delete your account?"
      testId="delete-account-dialog"
      lead="The account, its rooms and its settings are gone for good. What you have written stays, under your name."
      fields={[
        {
          name: "password",
          label: "Your password, to be sure",
          type: "password",
          autoComplete: "current-password",
          maxLength: LONGEST_PASSWORD,
        },
      ]}
      button="Delete account"
      danger
      submit={({ password = "" }) => signOut(() => account.remove(password))}
      close={close}
    />
  );
}
