const WEB_ADDRESS = /^https?:\/\/[^\s<>"]+/iu;
const SENTENCE_END = /[.,;:!?'…)\]}*_~]+$/u;

/** The web address that begins at a place in a text; null if none does. */
export function webAddressAt(text: string, at: number): string | null {
  const found = WEB_ADDRESS.exec(text.slice(at))?.[0];
  if (found === undefined) return null;
  const address = withoutSentenceEnd(found);
  return URL.canParse(address) ? address : null;
}

/** Punctuation after an address belongs to the sentence, except a bracket that the address itself opened. */
function withoutSentenceEnd(address: string): string {
  const trimmed = address.replace(SENTENCE_END, "");
  const closing = address[trimmed.length];
  return closing === ")" && trimmed.includes("(") ? `${trimmed})` : trimmed;
}
