import type { State } from "../state/model";
import type { Dispatch } from "../store";
import { ChatPage } from "./ChatPage";
import { SignIn } from "./SignIn";

export function App({ state, dispatch }: { state: State; dispatch: Dispatch }) {
  return state.phase === "chatting" ? (
    <ChatPage state={state} dispatch={dispatch} />
  ) : (
    <SignIn state={state} dispatch={dispatch} />
  );
}
