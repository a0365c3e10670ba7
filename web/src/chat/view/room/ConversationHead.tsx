import type { ComponentChildren } from "preact";
import { MenuIcon } from "../../../shared/icons";
import type { Connection } from "../../state/model";
import type { Drawer } from "../useDrawer";
import { ConnectionBadge } from "./ConnectionBadge";

interface Props {
  /** Unread messages in the rooms that the drawer hides. */
  unreadElsewhere: number;
  connection: Connection;
  drawer: Drawer;
  /** The title, and what can be done. */
  children: ComponentChildren;
}

export function ConversationHead({ unreadElsewhere, connection, drawer, children }: Props) {
  return (
    <header class="conversation-head">
      <button
        type="button"
        class="icon-button for-rooms-drawer"
        aria-label={unreadElsewhere === 0 ? "Show rooms" : `Show rooms, ${unreadElsewhere} unread`}
        data-testid="show-rooms"
        onClick={() => {
          drawer.show("rooms");
        }}
      >
        <MenuIcon />
        {unreadElsewhere > 0 && <span class="unread-dot" />}
      </button>
      {children}
      <ConnectionBadge connection={connection} />
    </header>
  );
}
