import { useState } from "preact/hooks";
import { MoreIcon } from "../../../shared/icons";
import { ThemeButton } from "../../../shared/ThemeButton";
import { preferences, setDesktop, setSound } from "../../preferences";
import type { Chatting } from "../../state/model";
import { Avatar } from "../Avatar";
import { useWish } from "../dialogs/wishes";
import { Menu, type MenuItem } from "../Menu";
import { useTools } from "../tools";

/** Who is signed in here, and what concerns the account. */
export function AccountMenu({ state }: { state: Chatting }) {
  const { dispatch } = useTools();
  const wish = useWish();
  const [told, setTold] = useState(preferences);
  const { name, kind } = state.person;

  const toggleDesktop = async () => {
    const on = await setDesktop(!told.desktop);
    if (!on && !told.desktop) {
      dispatch({ type: "toast", text: "This browser does not allow notifications for this page." });
    }
    setTold(preferences());
  };
  const common: readonly MenuItem[] = [
    {
      label: "Desktop notifications",
      testId: "toggle-desktop",
      checked: told.desktop,
      pick: () => void toggleDesktop(),
    },
    {
      label: "Sound when called",
      testId: "toggle-sound",
      checked: told.sound,
      pick: () => {
        setSound(!told.sound);
        setTold(preferences());
      },
    },
    {
      label: "Help",
      testId: "open-help",
      pick: () => {
        wish({ is: "help" });
      },
    },
  ];
  const item = (
    label: string,
    testId: string,
    is: "password" | "token" | "rename" | "sign out",
  ): MenuItem => ({
    label,
    testId,
    pick: () => {
      wish({ is });
    },
  });
  const own: readonly MenuItem[] =
    kind === "member"
      ? [
          item("Change password", "change-password", "password"),
          item("Token for programs", "open-token", "token"),
        ]
      : [item("Change your name", "rename", "rename")];
  const leaving: readonly MenuItem[] = [
    item("Sign out", "sign-out", "sign out"),
    {
      label: "Sign out everywhere",
      testId: "sign-out-everywhere",
      pick: () => {
        wish({ is: "sign out everywhere" });
      },
    },
    ...(kind === "member"
      ? [
          {
            label: "Delete account",
            testId: "delete-account",
            danger: true,
            pick: () => {
              wish({ is: "delete account" });
            },
          },
        ]
      : []),
  ];

  return (
    <footer class="sidebar-foot">
      <Avatar name={name} />
      <span class="sidebar-user">
        <bdi class="sidebar-user-name" data-testid="signed-in-as">
          {name}
        </bdi>
        <span class="sidebar-user-kind">{kind === "guest" ? "Guest" : "Member"}</span>
      </span>
      <ThemeButton />
      <Menu
        label="Account"
        testId="account-menu"
        class="icon-button"
        opens="up"
        items={[...common, ...own, ...leaving]}
      >
        <MoreIcon />
      </Menu>
    </footer>
  );
}
