import "./signIn.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { ThemeButton } from "../../shared/ThemeButton";
import { Wordmark } from "../../shared/Wordmark";
import { LONGEST_NAME } from "../protocol";
import type { SignedOut, SigningIn } from "../state/model";
import type { Dispatch } from "../store";

export function SignIn({ state, dispatch }: { state: SignedOut | SigningIn; dispatch: Dispatch }) {
  const [name, setName] = useState(state.name);
  const input = useRef<HTMLInputElement>(null);
  const waiting = state.phase === "signing in";
  const problem = state.phase === "signed out" ? state.problem : null;

  useEffect(() => {
    if (!waiting) input.current?.select();
  }, [waiting]);

  return (
    <main class="sign-in">
      <div class="sign-in-corner">
        <ThemeButton />
      </div>
      <form
        class="sign-in-card"
        onSubmit={(event) => {
          event.preventDefault();
          dispatch({ type: "sign in", name });
        }}
      >
        <h1>
          <Wordmark />
        </h1>
        <p class="sign-in-lead">Whichever node you reach, your words find their way.</p>
        <label for="name">Your name</label>
        <input
          id="name"
          ref={input}
          data-testid="sign-in-name"
          value={name}
          onInput={(event) => {
            setName(event.currentTarget.value);
          }}
          maxLength={LONGEST_NAME}
          disabled={waiting}
          required
          autoFocus
          autoComplete="nickname"
          autoCapitalize="words"
          spellcheck={false}
          dir="auto"
          placeholder="What others will see"
          aria-describedby="sign-in-problem"
          aria-invalid={problem !== null}
        />
        <p id="sign-in-problem" class="problem" role="alert" data-testid="sign-in-problem">
          {problem}
        </p>
        <div class="sign-in-actions">
          <button
            type="submit"
            class="primary"
            data-testid="sign-in-button"
            disabled={waiting || name.trim() === ""}
          >
            {waiting ? "Signing in…" : "Sign in"}
          </button>
          {waiting && (
            <button
              type="button"
              onClick={() => {
                dispatch({ type: "sign out" });
              }}
            >
              Cancel
            </button>
          )}
        </div>
        <p class="sign-in-status" role="status">
          {waiting && state.unreachable && "No node answers yet. Trying again…"}
        </p>
      </form>
    </main>
  );
}
