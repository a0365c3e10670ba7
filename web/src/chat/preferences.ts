/** What a browser is asked to do when somebody is called. Holds for this browser. */

const DESKTOP = "hither.notify";
const SOUND = "hither.sound";

export interface Preferences {
  readonly desktop: boolean;
  readonly sound: boolean;
}

export function preferences(): Preferences {
  return { desktop: read(DESKTOP) && permitted(), sound: read(SOUND) };
}

export function setSound(on: boolean): void {
  write(SOUND, on);
}

/** Asks the browser for permission first; gives whether notifications are on now. */
export async function setDesktop(on: boolean): Promise<boolean> {
  const granted = on && supported() && (await Notification.requestPermission()) === "granted";
  write(DESKTOP, granted);
  return granted;
}

function permitted(): boolean {
  return supported() && Notification.permission === "granted";
}

/** Notifications are shown by the service worker. Browsers have neither over plain HTTP, except from this machine. */
function supported(): boolean {
  return "Notification" in window && "serviceWorker" in navigator;
}

function read(key: string): boolean {
  try {
    return localStorage.getItem(key) === "on";
  } catch {
    // Denied by the browser: as good as never chosen.
    return false;
  }
}

function write(key: string, on: boolean): void {
  try {
    localStorage.setItem(key, on ? "on" : "off");
  } catch (error) {
    console.warn("This browser keeps no preferences:", error);
  }
}
