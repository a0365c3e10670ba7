import type { ComponentChildren } from "preact";
import { MenuIcon } from "../../shared/icons";
import type { Connection } from "../state/model";
import { ConnectionBadge } from "./ConnectionBadge";
import type { Drawer } from "./useDrawer";

interface Props {
  title: ComponentChildren;
  /** Unread messages in the rooms that the drawer hides. */
  unreadElsewhere?: number;
  connection: Connection;
  drawer: Drawer;
  children?: ComponentChildren;
}

export function ConversationHead({ title, unreadElsewhere = 0, connection, drawer, children }: Props) {
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
      {title}
      <ConnectionBadge connection={connection} />
      {children}
    </header>
  );
}
