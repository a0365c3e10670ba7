import { preferences } from "./preferences";

interface Notice {
  readonly room: string;
  readonly title: string;
  readonly text: string;
}

/** Tells of a message in the ways that the person has chosen; `open` shows the room when the notification is clicked. */
export function notify({ room, title, text }: Notice, open: (room: string) => void): void {
  const { desktop, sound } = preferences();
  if (sound) chime();
  if (!desktop) return;
  // One per room: a second replaces the first.
  const notification = new Notification(title, { body: text, tag: room, icon: "/icon-192.png" });
  notification.onclick = () => {
    window.focus();
    open(room);
    notification.close();
  };
}

/** Two short tones, made here: a file would be one more thing to load. */
function chime(): void {
  const audio = new AudioContext();
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
