import { webAddressAt } from "../links";
import { mentionAt } from "../mentions";
import type { Inline } from "./tree";

/** Emphasis within emphasis deeper than this is shown as written. */
const DEEPEST = 6;

const ESCAPABLE = /[\\`*_~[\]()>#@-]/u;

const PAIRS = [
  { mark: "**", type: "strong" },
  { mark: "__", type: "strong" },
  { mark: "~~", type: "strike" },
  { mark: "*", type: "emphasis" },
  { mark: "_", type: "emphasis" },
] as const;

/** What was found at one place, and where the text goes on behind it. */
interface Found {
  readonly node: Inline;
  readonly end: number;
}

/** Reads the text of one paragraph. `names` are those that count as mentions after an `@`. */
export function parseInline(text: string, names: readonly string[], depth = 0): Inline[] {
  const nodes: Inline[] = [];
  let plain = "";
  let at = 0;
  const push = (node: Inline) => {
    if (plain !== "") nodes.push({ type: "text", text: plain });
    plain = "";
    nodes.push(node);
  };
  while (at < text.length) {
    const character = text.charAt(at);
    const next = text.charAt(at + 1);
    if (character === "\\" && ESCAPABLE.test(next)) {
      plain += next;
      at += 2;
      continue;
    }
    const found = nodeAt(text, at, names, depth);
    if (found === null) {
      plain += character;
      at += 1;
    } else {
      push(found.node);
      at = found.end;
    }
  }
  if (plain !== "") nodes.push({ type: "text", text: plain });
  return nodes;
}

function nodeAt(text: string, at: number, names: readonly string[], depth: number): Found | null {
  switch (text.charAt(at)) {
    case "\n":
      return { node: { type: "break" }, end: at + 1 };
    case "`":
      return codeAt(text, at);
    case "[":
      return depth < DEEPEST ? linkAt(text, at, names, depth) : null;
    case "@": {
      const name = mentionAt(text, at, names);
      return name === null ? null : { node: { type: "mention", name }, end: at + 1 + name.length };
    }
    case "h":
    case "H":
      return addressAt(text, at);
    case "*":
    case "_":
    case "~":
      return depth < DEEPEST ? pairAt(text, at, names, depth) : null;
    default:
      return null;
  }
}

function codeAt(text: string, at: number): Found | null {
  const fence = /^`+/u.exec(text.slice(at))?.[0] ?? "`";
  const close = text.indexOf(fence, at + fence.length);
  if (close < 0) return null;
  const inside = text.slice(at + fence.length, close);
  if (inside.trim() === "" || inside.startsWith("`")) return null;
  return { node: { type: "code", text: inside.replace(/\n/gu, " ") }, end: close + fence.length };
}

function addressAt(text: string, at: number): Found | null {
  if (/[\p{L}\p{N}]/u.test(text.charAt(at - 1))) return null;
  const href = webAddressAt(text, at);
  if (href === null) return null;
  return { node: { type: "link", href, content: [{ type: "text", text: href }] }, end: at + href.length };
}

/** `[words](https://example.org)`; an address that is no web address leaves all as written. */
function linkAt(text: string, at: number, names: readonly string[], depth: number): Found | null {
  const match = /^\[([^[\]\n]+)\]\(([^\s()]+)\)/u.exec(text.slice(at));
  const [whole, words, href] = match ?? [];
  if (whole === undefined || words === undefined || href === undefined) return null;
  if (webAddressAt(href, 0) !== href) return null;
  const content = parseInline(words, names, depth + 1).filter(({ type }) => type !== "link");
  return { node: { type: "link", href, content }, end: at + whole.length };
}

function pairAt(text: string, at: number, names: readonly string[], depth: number): Found | null {
  for (const { mark, type } of PAIRS) {
    if (!text.startsWith(mark, at)) continue;
    const close = closing(text, at, mark);
    if (close === null) continue;
    const inside = text.slice(at + mark.length, close);
    return { node: { type, content: parseInline(inside, names, depth + 1) }, end: close + mark.length };
  }
  return null;
}

/** Where the mark at `at` is closed: it must touch what it encloses, and an underscore must not stand within a word. */
function closing(text: string, at: number, mark: string): number | null {
  const begin = at + mark.length;
  if (isSpace(text.charAt(begin)) || text.startsWith(mark.charAt(0), begin)) return null;
  const withinWord = mark.startsWith("_");
  if (withinWord && isWord(text.charAt(at - 1))) return null;
  for (let close = text.indexOf(mark, begin + 1); close >= 0; close = text.indexOf(mark, close + 1)) {
    const touches = !isSpace(text.charAt(close - 1)) && text.charAt(close - 1) !== "\\";
    const wordGoesOn = withinWord && isWord(text.charAt(close + mark.length));
    // `*a **b** c*`: a doubled mark inside is not the end of a single one.
    const doubled = mark.length === 1 && text.charAt(close + 1) === mark;
    if (doubled) {
      close += 1;
      continue;
    }
    if (touches && !wordGoesOn) return close;
  }
  return null;
}

function isSpace(character: string): boolean {
  return character === "" || /\s/u.test(character);
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}_]/u.test(character);
}
