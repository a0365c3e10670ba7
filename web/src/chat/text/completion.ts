import { COMMANDS } from "./commands";
import { type EmojiList, findEmoji } from "./emoji";
import { sameName } from "./mentions";

/** One way to go on with what is being typed. */
export interface Suggestion {
  /** What the list shows. */
  readonly label: string;
  readonly hint: string;
  /** What takes the place of the part that was typed. */
  readonly insert: string;
}

/** The part of a text that is being completed, by its place in it. */
export interface Completing {
  readonly kind: "command" | "mention" | "emoji";
  readonly from: number;
  readonly to: number;
  /** What was typed behind the mark. */
  readonly sought: string;
}

const MOST = 8;

/** What stands before the caret that could be completed; null if nothing does. */
export function completingAt(text: string, caret: number): Completing | null {
  const before = text.slice(0, caret);
  const command = /^\/([a-z]*)$/iu.exec(before);
  if (command) return { kind: "command", from: 0, to: caret, sought: command[1] ?? "" };
  const mention = /(?:^|[^\p{L}\p{N}_])@([^\n@]{0,32})$/u.exec(before);
  if (mention?.[1] !== undefined) {
    return { kind: "mention", from: caret - mention[1].length - 1, to: caret, sought: mention[1] };
  }
  const emoji = /(?:^|[^\p{L}\p{N}_:]):([a-z0-9_+-]{2,})$/iu.exec(before);
  if (emoji?.[1] !== undefined) {
    return { kind: "emoji", from: caret - emoji[1].length - 1, to: caret, sought: emoji[1] };
  }
  return null;
}

/** Ways to complete it, the likeliest first. A name that is written in full needs no more. */
export function suggestions(
  completing: Completing,
  names: readonly string[],
  emoji: EmojiList,
): Suggestion[] {
  const { kind, sought } = completing;
  switch (kind) {
    case "command":
      return COMMANDS.filter(({ name }) => name.startsWith(sought.toLowerCase())).map(
        ({ name, usage, does }) => ({
          label: usage,
          hint: does,
          insert: `/${name} `,
        }),
      );
    case "mention":
      return namesLike(names, sought).map((name) => ({ label: `@${name}`, hint: "", insert: `@${name} ` }));
    case "emoji":
      return findEmoji(emoji, sought, MOST).map(({ name, character }) => ({
        label: `${character} :${name}:`,
        hint: "",
        insert: `${character} `,
      }));
  }
}

function namesLike(names: readonly string[], sought: string): string[] {
  const words = sought.toLocaleLowerCase();
  const like = names.filter((name) => {
    const whole = name.toLocaleLowerCase();
    return whole.startsWith(words) || whole.split(/\s+/u).some((part) => part.startsWith(words));
  });
  const [only] = like;
  if (only !== undefined && like.length === 1 && sameName(only, sought)) return [];
  return like.toSorted((a, b) => a.localeCompare(b)).slice(0, MOST);
}

/** The text with the suggestion in place, and where the caret is to stand. */
export function complete(
  text: string,
  { from, to }: Completing,
  { insert }: Suggestion,
): { text: string; caret: number } {
  const after = text.slice(to);
  const inserted = insert.endsWith(" ") && after.startsWith(" ") ? insert.trimEnd() : insert;
  return { text: text.slice(0, from) + inserted + after, caret: from + insert.length };
}
