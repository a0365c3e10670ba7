export interface Segment {
  readonly text: string;
  /** Where the text leads; null for plain text. */
  readonly href: string | null;
}

const WEB_ADDRESS = /https?:\/\/[^\s<>"]+/giu;
const SENTENCE_END = /[.,;:!?'…)\]}]+$/u;

/** Cuts a text into plain parts and web addresses; the parts joined are the text. */
export function segments(text: string): Segment[] {
  const found: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(WEB_ADDRESS)) {
    const address = withoutSentenceEnd(match[0]);
    if (!URL.canParse(address)) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index), href: null });
    found.push({ text: address, href: address });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end), href: null });
  return found;
}

/** Punctuation after an address belongs to the sentence, except a bracket that the address itself opened. */
function withoutSentenceEnd(address: string): string {
  const trimmed = address.replace(SENTENCE_END, "");
  const closing = address[trimmed.length];
  return closing === ")" && trimmed.includes("(") ? `${trimmed})` : trimmed;
}
