/**
 * Emoji by their short names, as GitHub and others have them. What is sent is the emoji itself, so that every client
 * shows it; the names are only for typing. The list is large, so it is loaded when it is first needed.
 */

export interface Emoji {
  readonly name: string;
  readonly character: string;
}

export type EmojiList = readonly Emoji[];

/** For a reaction with one click. */
export const QUICK_REACTIONS = ["👍", "❤️", "😂", "🎉", "😮", "👀"] as const;

type Names = Readonly<Record<string, string | readonly string[]>>;

let list: Promise<EmojiList> | null = null;

/** All emoji that have a short name; fails if the list cannot be loaded, and can then be tried again. */
export function loadEmoji(): Promise<EmojiList> {
  list ??= import("emojibase-data/en/shortcodes/github.json").then(
    ({ default: names }) => emojiFrom(names),
    (error: unknown) => {
      list = null;
      throw error;
    },
  );
  return list;
}

/** Reads the list of the package: names by the code points of the emoji. */
export function emojiFrom(names: Names): EmojiList {
  return Object.entries(names).flatMap(([code, named]) =>
    (typeof named === "string" ? [named] : named).map((name) => ({ name, character: characterOf(code) })),
  );
}

const EMOJI_STYLE = "\u{FE0F}";

function characterOf(code: string): string {
  const character = code
    .split("-")
    .map((point) => String.fromCodePoint(Number.parseInt(point, 16)))
    .join("");
  // Some are text unless it is said that the picture is meant.
  const single = !code.includes("-");
  return single && !/\p{Emoji_Presentation}/u.test(character) ? character + EMOJI_STYLE : character;
}

/** At most so many, the ones that begin with what is sought first. */
export function findEmoji(emoji: EmojiList, sought: string, most: number): Emoji[] {
  const words = sought.toLowerCase();
  const begin = emoji.filter(({ name }) => name.startsWith(words));
  const contain = emoji.filter(({ name }) => !name.startsWith(words) && name.includes(words));
  begin.sort((a, b) => a.name.length - b.name.length);
  return [...begin, ...contain].slice(0, most);
}

/** Every `:short_name:` becomes its emoji, except within code; what is no name stays. */
export function withEmoji(text: string, emoji: EmojiList): string {
  const characters = new Map(emoji.map(({ name, character }) => [name, character]));
  return text
    .split(/(```[\s\S]*?```|`[^`]*`|https?:\/\/\S+)/u)
    .map((part, place) =>
      place % 2 === 1
        ? part
        : part.replace(/:([a-z0-9_+-]+):/gu, (written, name: string) => characters.get(name) ?? written),
    )
    .join("");
}
