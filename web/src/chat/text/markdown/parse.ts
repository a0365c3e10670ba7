import { parseInline } from "./inline";
import type { Block } from "./tree";

/** Quotes within quotes deeper than this are shown as written. */
const DEEPEST = 4;

const FENCE = /^```[^`]*$/u;
const QUOTE = /^>\s?/u;
const BULLET = /^\s{0,3}[-*+]\s+(?=\S)/u;
const NUMBERED = /^\s{0,3}(\d{1,6})[.)]\s+(?=\S)/u;

/**
 * Reads the subset of Markdown that messages may use: paragraphs, quotes, lists, code, bold, italic, strikethrough,
 * links and mentions. A line break is a line break, as people expect of a chat. Nothing is an error: what is no
 * Markdown is text.
 */
export function parseMarkdown(text: string, names: readonly string[] = []): Block[] {
  return blocksOf(text.split("\n"), names, 0);
}

function blocksOf(lines: readonly string[], names: readonly string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const end = endOfBlock(lines, at, depth);
    if (FENCE.test(line) && end.closed) {
      blocks.push({ type: "code", text: lines.slice(at + 1, end.at - 1).join("\n") });
    } else if (end.is === "quote") {
      const quoted = lines.slice(at, end.at).map((quote) => quote.replace(QUOTE, ""));
      blocks.push({ type: "quote", blocks: blocksOf(quoted, names, depth + 1) });
    } else if (end.is === "bullets" || end.is === "numbers") {
      const marker = end.is === "bullets" ? BULLET : NUMBERED;
      const start = end.is === "numbers" ? Number(NUMBERED.exec(line)?.[1] ?? 1) : null;
      const items = lines.slice(at, end.at).map((item) => parseInline(item.replace(marker, ""), names));
      blocks.push({ type: "list", start, items });
    } else if (end.is === "paragraph") {
      blocks.push({ type: "paragraph", content: parseInline(lines.slice(at, end.at).join("\n"), names) });
    }
    at = end.at;
  }
  return blocks;
}

interface End {
  readonly is: "code" | "quote" | "bullets" | "numbers" | "paragraph" | "nothing";
  /** The line after the block. */
  readonly at: number;
  /** Whether a fence has its other end; one without is text. */
  readonly closed: boolean;
}

function endOfBlock(lines: readonly string[], from: number, depth: number): End {
  const line = lines[from] ?? "";
  if (line.trim() === "") return { is: "nothing", at: from + 1, closed: false };
  if (FENCE.test(line)) {
    const close = lines.findIndex((other, place) => place > from && other.trim() === "```");
    if (close > from) return { is: "code", at: close + 1, closed: true };
  }
  if (QUOTE.test(line) && depth < DEEPEST)
    return { is: "quote", at: runOf(lines, from, QUOTE), closed: false };
  if (BULLET.test(line)) return { is: "bullets", at: runOf(lines, from, BULLET), closed: false };
  if (NUMBERED.test(line)) return { is: "numbers", at: runOf(lines, from, NUMBERED), closed: false };
  const stop = lines.findIndex((other, place) => place > from && beginsBlock(lines, place, other, depth));
  return { is: "paragraph", at: stop < 0 ? lines.length : stop, closed: false };
}

/** The line after the last of those that begin in the same way. */
function runOf(lines: readonly string[], from: number, marker: RegExp): number {
  const end = lines.findIndex((line, place) => place > from && !marker.test(line));
  return end < 0 ? lines.length : end;
}

function beginsBlock(lines: readonly string[], at: number, line: string, depth: number): boolean {
  if (line.trim() === "") return true;
  if (FENCE.test(line)) return lines.some((other, place) => place > at && other.trim() === "```");
  return (QUOTE.test(line) && depth < DEEPEST) || BULLET.test(line) || NUMBERED.test(line);
}
