import type { Message } from "../protocol";

/** One line of the list of messages. */
export type Row =
  | { readonly type: "day"; readonly key: string; readonly at: number }
  | { readonly type: "new"; readonly key: string }
  /** `first`: with avatar, name and time; what the same person goes on to say does without. */
  | { readonly type: "message"; readonly key: string; readonly message: Message; readonly first: boolean };

/** A pause after which the same person's name and time are shown again, in milliseconds. */
const PAUSE = 5 * 60_000;

/** Puts together what one person said in one go; marks days, and where the new begins. */
export function rows(messages: readonly Message[], newFrom: number | null): Row[] {
  const found: Row[] = [];
  let previous: Message | undefined;
  for (const message of messages) {
    const newDay = previous === undefined || day(previous.time) !== day(message.time);
    const isNew = newFrom !== null && message.number >= newFrom && (previous?.number ?? 0) < newFrom;
    if (newDay) found.push({ type: "day", key: `day ${message.number}`, at: message.time });
    if (isNew) found.push({ type: "new", key: "new" });
    const first = newDay || isNew || previous === undefined || !goesOn(previous, message);
    found.push({ type: "message", key: `message ${message.number}`, message, first });
    previous = message;
  }
  return found;
}

function goesOn(before: Message, next: Message): boolean {
  return (
    before.author.name === next.author.name &&
    before.author.kind === next.author.kind &&
    before.kind === "text" &&
    next.kind === "text" &&
    next.replyTo === undefined &&
    next.time - before.time < PAUSE
  );
}

function day(at: number): string {
  return new Date(at).toDateString();
}
