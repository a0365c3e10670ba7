import type { Chatting } from "../../state/model";
import { DeleteAccount, Password, Rename, SignOut, SignOutEverywhere, Token } from "./AccountDialogs";
import { BrowseRooms } from "./BrowseRooms";
import { Help } from "./Help";
import { CreateRoom, Direct, Invite, JumpToDate, Leave, Topic } from "./RoomDialogs";
import { DeleteMessage, RemovePerson, Unban } from "./ModeratorDialogs";
import { Webhooks } from "./Webhooks";
import type { Wish } from "./wishes";

interface Props {
  wish: Wish | null;
  state: Chatting;
  close: () => void;
}

/** The dialog that is open, if one is. */
export function Dialogs({ wish, state, close }: Props) {
  switch (wish?.is) {
    case undefined:
      return null;
    case "browse rooms":
      return <BrowseRooms close={close} />;
    case "create room":
      return <CreateRoom name={wish.name} close={close} />;
    case "direct message":
      return <Direct state={state} close={close} />;
    case "invite":
      return <Invite room={wish.room} close={close} />;
    case "topic":
      return <Topic room={wish.room} close={close} />;
    case "date":
      return <JumpToDate room={wish.room} close={close} />;
    case "leave":
      return <Leave room={wish.room} close={close} />;
    case "delete message":
      return <DeleteMessage membership={wish.membership} message={wish.message} close={close} />;
    case "remove person":
      return <RemovePerson room={wish.room} name={wish.name} ban={wish.ban} close={close} />;
    case "unban":
      return <Unban room={wish.room} close={close} />;
    case "webhooks":
      return <Webhooks room={wish.room} close={close} />;
    case "rename":
      return <Rename name={state.person.name} close={close} />;
    case "password":
      return <Password close={close} />;
    case "token":
      return <Token close={close} />;
    case "sign out":
      return <SignOut state={state} close={close} />;
    case "sign out everywhere":
      return <SignOutEverywhere state={state} close={close} />;
    case "delete account":
      return <DeleteAccount name={state.person.name} close={close} />;
    case "help":
      return <Help close={close} />;
  }
}
