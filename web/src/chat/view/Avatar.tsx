import "./avatar.css";

/** The first letter of a name on a colour that stays the same for that name. */
export function Avatar({ name, small = false }: { name: string; small?: boolean }) {
  return (
    <span class={small ? "avatar small" : "avatar"} style={{ "--hue": hueOf(name) }} aria-hidden="true">
      {initialOf(name)}
    </span>
  );
}

const graphemes = new Intl.Segmenter();

/** The first character as a reader sees it, which for an emoji or an accented letter may be several code points. */
function initialOf(name: string): string {
  const [first] = graphemes.segment(name.trim());
  return first?.segment.toLocaleUpperCase() ?? "?";
}

/** Degrees on the colour wheel, by FNV-1a: names that differ in one letter get different colours. */
function hueOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 8) % 360;
}
