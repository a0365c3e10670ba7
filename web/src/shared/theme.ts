export type Theme = "auto" | "light" | "dark";

const KEY = "hither.theme";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

export function nextTheme(theme: Theme): Theme {
  return NEXT[theme];
}

export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "auto";
  } catch {
    return "auto";
  }
}

/** Shows the page in this theme, and in every page opened later if the browser lets it be stored. */
export function applyTheme(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is denied; the choice holds for this page.
  }
}
