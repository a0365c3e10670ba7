/** The longest of the names that stands behind the `@` at a place in a text; null if none does. As it is written there. */
export function mentionAt(text: string, at: number, names: readonly string[]): string | null {
  if (text.charAt(at) !== "@" || isWord(text.charAt(at - 1))) return null;
  const behind = text.slice(at + 1);
  let longest: string | null = null;
  for (const name of names) {
    const written = behind.slice(0, name.length);
    if (name.length <= (longest?.length ?? 0) || !sameName(written, name)) continue;
    if (!isWord(behind.charAt(name.length))) longest = written;
  }
  return longest;
}

/** Whether a text calls somebody by name. */
export function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (mentionAt(text, at, [name]) !== null) return true;
  }
  return false;
}

export function sameName(one: string, other: string): boolean {
  return one.normalize("NFKC").toLocaleLowerCase() === other.normalize("NFKC").toLocaleLowerCase();
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}_]/u.test(character);
}
