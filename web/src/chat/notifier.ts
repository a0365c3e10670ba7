import type { NotificationClicked } from "../shared/notificationClicked";
import { preferences } from "./preferences";

export interface Notice {
  readonly room: string;
  readonly title: string;
  readonly text: string;
}

/** Tells of a message in the ways that the person has chosen. */
export function notify(notice: Notice): void {
  const { desktop, sound } = preferences();
  if (sound) chime();
  if (!desktop) return;
  show(notice).catch((error: unknown) => {
    console.warn("The browser shows no notification:", error);
  });
}

/** By the service worker, which phones ask for, and which hears of the click also when this page is gone by then. */
async function show({ room, title, text }: Notice): Promise<void> {
  const registration = await navigator.serviceWorker.ready;
  // One per room: a second replaces the first.
  await registration.showNotification(title, {
    body: text,
    tag: room,
    icon: "/icon-192.png",
    data: { room },
  });
}

/** Calls `open` with the room of a notification that was clicked. */
export function onNotificationClick(open: (room: string) => void): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", ({ data }: MessageEvent<NotificationClicked>) => {
    open(data.room);
  });
}

/** Two short tones, made here: a file would be one more thing to load. */
function chime(): void {
  const audio = new AudioContext();
  if (audio.state === "suspended") {
    // Nobody has touched the page yet, and till then browsers let it make no sound.
    void audio.close();
    return;
  }
  const volume = audio.createGain();
  volume.connect(audio.destination);
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  for (const [place, hertz] of [660, 880].entries()) {
    const tone = audio.createOscillator();
    tone.frequency.value = hertz;
    tone.connect(volume);
    tone.start(audio.currentTime + place * 0.12);
    tone.stop(audio.currentTime + place * 0.12 + 0.25);
    if (place === 1) tone.onended = () => void audio.close();
  }
}
