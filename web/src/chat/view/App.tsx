import type { State } from "../state/model";
import { SignIn } from "./account/SignIn";
import { Starting } from "./account/Starting";
import { ChatPage } from "./ChatPage";
import { type Tools, ToolsContext } from "./tools";

export function App({ state, tools }: { state: State; tools: Tools }) {
  return (
    <ToolsContext.Provider value={tools}>
      <Phase state={state} />
    </ToolsContext.Provider>
  );
}

function Phase({ state }: { state: State }) {
  switch (state.phase) {
    case "starting":
      return <Starting state={state} />;
    case "signed out":
      return <SignIn state={state} />;
    case "chatting":
      return <ChatPage state={state} />;
  }
}
