import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Membership, Message } from "../../protocol";
import type { Room } from "../../state/model";

/** Which dialog is wanted. */
export type Wish =
  | { readonly is: "browse rooms" }
  | { readonly is: "create room"; readonly name: string }
  | { readonly is: "direct message" }
  | { readonly is: "invite"; readonly room: Room }
  | { readonly is: "topic"; readonly room: Room }
  | { readonly is: "date"; readonly room: Room }
  | { readonly is: "leave"; readonly room: Room }
  | { readonly is: "delete message"; readonly membership: Membership; readonly message: Message }
  | { readonly is: "remove person"; readonly room: Room; readonly name: string; readonly ban: boolean }
  | { readonly is: "unban"; readonly room: Room }
  | { readonly is: "webhooks"; readonly room: Room }
  | { readonly is: "rename" }
  | { readonly is: "password" }
  | { readonly is: "token" }
  | { readonly is: "sign out" }
  | { readonly is: "sign out everywhere" }
  | { readonly is: "delete account" }
  | { readonly is: "help" };

export const WishContext = createContext<(wish: Wish) => void>(() => undefined);

/** Opens a dialog. */
export function useWish(): (wish: Wish) => void {
  return useContext(WishContext);
}
