import "./signIn.css";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ThemeButton } from "../../../shared/ThemeButton";
import { Wordmark } from "../../../shared/Wordmark";
import { LONGEST_NAME, LONGEST_PASSWORD, type Problem, SHORTEST_PASSWORD } from "../../protocol";
import type { SignedOut } from "../../state/model";
import { useTools } from "../tools";

type Way = "sign in" | "sign up" | "guest";

interface Words {
  readonly title: string;
  readonly button: string;
  readonly busy: string;
}

const WORDS: Readonly<Record<Way, Words>> = {
  "sign in": { title: "Sign in", button: "Sign in", busy: "Signing in…" },
  "sign up": { title: "Create an account", button: "Create account", busy: "Creating…" },
  guest: { title: "Continue as a guest", button: "Continue", busy: "Coming in…" },
};

export function SignIn({ state }: { state: SignedOut }) {
  const [way, setWay] = useState<Way>("sign in");
  const others = (["sign in", "sign up", "guest"] as const).filter(
    (other) => other !== way && (other !== "guest" || state.guests),
  );
  return (
    <main class="sign-in">
      <div class="sign-in-corner">
        <ThemeButton />
      </div>
      <div class="sign-in-card">
        <h1>
          <Wordmark />
        </h1>
        {state.notice !== null && (
          <p class="sign-in-notice" role="status" data-testid="sign-in-notice">
            {state.notice}
          </p>
        )}
        <SignInForm key={way} way={way} />
        <ul class="sign-in-others">
          {others.map((other) => (
            <li key={other}>
              <button
                type="button"
                class="link-button"
                data-testid={`to-${other.replace(" ", "-")}`}
                onClick={() => {
                  setWay(other);
                }}
              >
                {WORDS[other].title}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </main>
  );
}

function SignInForm({ way }: { way: Way }) {
  const { account, dispatch, recall } = useTools();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const id = useId();
  const words = WORDS[way];
  const withPassword = way !== "guest";

  useEffect(() => {
    first.current?.focus();
  }, []);

  const submit = async () => {
    setBusy(true);
    setProblem(null);
    const answer = await (way === "guest"
      ? account.guest(name)
      : way === "sign up"
        ? account.signUp(name, password)
        : account.signIn(name, password));
    setBusy(false);
    if (answer.ok) dispatch({ type: "signed in", person: answer.person, ...recall(answer.person.name) });
    else setProblem(answer.error);
  };

  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void submit();
      }}
    >
      <h2>{words.title}</h2>
      <label for={`${id}-name`}>Name</label>
      <input
        id={`${id}-name`}
        ref={first}
        data-testid="sign-in-name"
        value={name}
        onInput={(event) => {
          setName(event.currentTarget.value);
        }}
        maxLength={LONGEST_NAME}
        required
        autoComplete={withPassword ? "username" : "nickname"}
        autoCapitalize="words"
        spellcheck={false}
        dir="auto"
        aria-describedby={`${id}-problem`}
        aria-invalid={problem !== null}
      />
      {withPassword && (
        <>
          <label for={`${id}-password`}>Password</label>
          <input
            id={`${id}-password`}
            type="password"
            data-testid="sign-in-password"
            value={password}
            onInput={(event) => {
              setPassword(event.currentTarget.value);
            }}
            minLength={way === "sign up" ? SHORTEST_PASSWORD : undefined}
            maxLength={LONGEST_PASSWORD}
            required
            autoComplete={way === "sign up" ? "new-password" : "current-password"}
            aria-describedby={`${id}-hint ${id}-problem`}
            aria-invalid={problem !== null}
          />
        </>
      )}
      <p id={`${id}-hint`} class="form-hint">
        {way === "sign up" && `At least ${SHORTEST_PASSWORD} characters.`}
        {way === "guest" && "Others will see that you are a guest. You can create an account later."}
      </p>
      <p id={`${id}-problem`} class="problem" role="alert" data-testid="sign-in-problem">
        {problem === null ? "" : problemText(problem)}
      </p>
      <button type="submit" class="primary" data-testid="sign-in-button" disabled={busy}>
        {busy ? words.busy : words.button}
      </button>
    </form>
  );
}

function problemText({ message, retryAfterMs }: Problem): string {
  if (retryAfterMs === undefined) return message;
  const seconds = Math.ceil(retryAfterMs / 1_000);
  return `${message} (again in ${seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`})`;
}
