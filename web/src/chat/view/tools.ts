import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Account } from "../account";
import type { Answered, Asked, RequestName } from "../protocol";
import type { Kept } from "../state/model";
import type { Dispatch } from "../store";

/** What components can have done. */
export interface Tools {
  /** Shows at once what comes of it: for what a person does. */
  readonly dispatch: Dispatch;
  /** Shows it with the next frame: for what the page does by itself, while it draws or scrolls. */
  readonly dispatchSoon: Dispatch;
  /** Asks the server once. Never fails: the answer says what went wrong. */
  readonly request: <Name extends RequestName>(name: Name, asked: Asked<Name>) => Promise<Answered<Name>>;
  /** Keeps a file that is to be uploaded; gives its number. */
  readonly holdFile: (file: File) => number;
  readonly account: Account;
  readonly recall: (name: string) => { kept: readonly Kept[]; activeRoom: string | null };
  /** Removes all that this browser keeps of a person. */
  readonly forget: (name: string) => void;
}

export const ToolsContext = createContext<Tools | null>(null);

export function useTools(): Tools {
  const tools = useContext(ToolsContext);
  if (tools === null) throw new Error("A component stands outside of <App>, which provides the tools.");
  return tools;
}
