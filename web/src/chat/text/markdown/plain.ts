import { parseMarkdown } from "./parse";
import type { Block, Inline } from "./tree";

/** The words of a message in one line, without marks: for quotes, notifications and the list of hits. */
export function plainText(text: string): string {
  return parseMarkdown(text).map(ofBlock).join(" ").replace(/\s+/gu, " ").trim();
}

function ofBlock(block: Block): string {
  switch (block.type) {
    case "paragraph":
      return block.content.map(ofInline).join("");
    case "quote":
      return block.blocks.map(ofBlock).join(" ");
    case "code":
      return block.text;
    case "list":
      return block.items.map((item) => item.map(ofInline).join("")).join(" ");
  }
}

function ofInline(node: Inline): string {
  switch (node.type) {
    case "text":
    case "code":
      return node.text;
    case "strong":
    case "emphasis":
    case "strike":
    case "link":
      return node.content.map(ofInline).join("");
    case "mention":
      return `@${node.name}`;
    case "break":
      return " ";
  }
}
