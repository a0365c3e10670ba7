import { whileChatting } from "./chatting";
import type { Event, Step } from "./events";
import type { SignedOut, SigningIn, State } from "./model";
import { resume } from "./saved";

/** The page before anyone has signed in; `name` is offered in the form. */
export function signedOut(name: string): Step {
  return { state: { phase: "signed out", name, problem: null }, commands: [] };
}

/** The one place where state changes. Pure: time and randomness come in with the events. */
export function update(state: State, event: Event): Step {
  switch (state.phase) {
    case "signed out":
      return whileSignedOut(state, event);
    case "signing in":
      return whileSigningIn(state, event);
    case "chatting":
      return whileChatting(state, event);
  }
}

function whileSignedOut(state: SignedOut, event: Event): Step {
  if (event.type !== "sign in") return { state, commands: [] };
  const name = event.name.trim();
  if (name === "") return { state: { ...state, problem: "Please enter a name." }, commands: [] };
  return {
    state: { phase: "signing in", name, unreachable: false },
    commands: [{ type: "connect", name }],
  };
}

function whileSigningIn(state: SigningIn, event: Event): Step {
  switch (event.type) {
    case "connected": {
      const signedIn = resume({ name: state.name, activeRoom: null, rooms: [] }, true);
      return whileChatting(signedIn.state, event);
    }
    case "unreachable":
      return { state: { ...state, unreachable: true }, commands: [] };
    case "refused":
      return {
        state: { phase: "signed out", name: state.name, problem: event.problem },
        commands: [{ type: "disconnect" }],
      };
    case "sign out":
      return {
        state: { phase: "signed out", name: state.name, problem: null },
        commands: [{ type: "disconnect" }],
      };
    default:
      return { state, commands: [] };
  }
}
