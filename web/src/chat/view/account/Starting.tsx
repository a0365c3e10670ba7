import "./signIn.css";
import { Wordmark } from "../../../shared/Wordmark";
import type { Starting as State } from "../../state/model";

/** While it is asked who is signed in: mostly too short to be seen. */
export function Starting({ state }: { state: State }) {
  return (
    <main class="sign-in">
      <div class="starting" role="status" data-testid="starting">
        <h1>
          <Wordmark />
        </h1>
        <p>{state.problem === null ? "Loading…" : `${state.problem} Trying again…`}</p>
      </div>
    </main>
  );
}
