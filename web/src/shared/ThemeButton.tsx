import { useState } from "preact/hooks";
import { AutoIcon, MoonIcon, SunIcon } from "./icons";
import { applyTheme, nextTheme, storedTheme, type Theme } from "./theme";

const LOOKS: Record<Theme, { Icon: typeof SunIcon; label: string }> = {
  auto: { Icon: AutoIcon, label: "Theme: as the system" },
  light: { Icon: SunIcon, label: "Theme: light" },
  dark: { Icon: MoonIcon, label: "Theme: dark" },
};

export function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const { Icon, label } = LOOKS[theme];
  const change = () => {
    const next = nextTheme(theme);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      onClick={change}
      data-testid="theme"
    >
      <Icon />
    </button>
  );
}
