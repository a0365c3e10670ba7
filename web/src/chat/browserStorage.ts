import { parseSaved, type Saved } from "./state/saved";

/** The signed-in page, per tab: two tabs may be two people, and a refresh stays the same one. */
const SESSION = "hither.session";
/** The name used last, in whichever tab: offered in the sign-in form. */
const NAME = "hither.name";

export function loadSession(): Saved | null {
  try {
    return parseSaved(JSON.parse(sessionStorage.getItem(SESSION) ?? "null"));
  } catch {
    // Denied by the browser, or not written by us: as good as none.
    return null;
  }
}

export function saveSession(saved: Saved): void {
  ifAllowed(() => {
    sessionStorage.setItem(SESSION, JSON.stringify(saved));
    localStorage.setItem(NAME, saved.name);
  });
}

export function forgetSession(): void {
  ifAllowed(() => {
    sessionStorage.removeItem(SESSION);
  });
}

export function lastName(): string {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** A browser may deny storage; then the chat works, and a refresh signs out. */
function ifAllowed(write: () => void): void {
  try {
    write();
  } catch (error) {
    console.warn("This page cannot be remembered:", error);
  }
}
