import type { Person, SignedOutReason } from "../protocol";
import { whileChatting } from "./chatting";
import type { Event, Step } from "./events";
import { type Chatting, DEFAULT_LIMITS, type Kept, type SignedOut, type Starting, type State } from "./model";

/** The page before it knows who is signed in. */
export function starting(pageVisible: boolean, notice: string | null = null): Step<Starting> {
  return {
    state: { phase: "starting", problem: null, notice, pageVisible },
    commands: [{ type: "ask who is signed in", later: false }],
  };
}

/** The one place where state changes. Pure: time and randomness come in with the events. */
export function update(state: State, event: Event): Step {
  if (event.type === "page shown" || event.type === "page hidden") {
    const seen = { ...state, pageVisible: event.type === "page shown" };
    return seen.phase === "chatting" ? whileChatting(seen, event) : { state: seen, commands: [] };
  }
  switch (state.phase) {
    case "starting":
      return whileStarting(state, event);
    case "signed out":
      return event.type === "signed in" ? signedIn(state, event) : { state, commands: [] };
    case "chatting":
      return ending(state, event) ?? whileChatting(state, event);
  }
}

function whileStarting(state: Starting, event: Event): Step {
  switch (event.type) {
    case "signed in":
      return signedIn(state, event);
    case "nobody signed in": {
      const { notice, pageVisible } = state;
      return { state: { phase: "signed out", guests: event.guests, notice, pageVisible }, commands: [] };
    }
    case "session unknown":
      return {
        state: { ...state, problem: event.problem },
        commands: [{ type: "ask who is signed in", later: true }],
      };
    default:
      return { state, commands: [] };
  }
}

interface SignedIn {
  readonly person: Person;
  readonly kept: readonly Kept[];
  readonly activeRoom: string | null;
}

function signedIn({ pageVisible }: Starting | SignedOut, { person, kept, activeRoom }: SignedIn): Step {
  const state: Chatting = {
    phase: "chatting",
    person,
    connection: { is: "connecting" },
    limits: DEFAULT_LIMITS,
    welcomed: false,
    rooms: [],
    invitations: [],
    activeRoom,
    leaving: false,
    toasts: [],
    pageVisible,
    nextId: 1,
    kept,
  };
  return { state, commands: [{ type: "connect" }] };
}

/** What ends being signed in; null for any other event. */
function ending(state: Chatting, event: Event): Step | null {
  switch (event.type) {
    case "sign out done":
      return signedOut(state, null);
    case "signed out":
      return signedOut(state, state.leaving ? null : NOTICES[event.reason]);
    case "refused":
      return event.code === "not_signed_in" ? signedOut(state, NOTICES.expired) : null;
    default:
      return null;
  }
}

const NOTICES: Readonly<Record<SignedOutReason, string>> = {
  signed_out: "You have been signed out.",
  password_changed: "The password was changed, which signed you out here.",
  account_deleted: "This account has been deleted.",
  expired: "Your login has ended. Please sign in again.",
};

function signedOut({ pageVisible }: Chatting, notice: string | null): Step {
  const { state, commands } = starting(pageVisible, notice);
  return { state, commands: [{ type: "disconnect" }, ...commands] };
}
