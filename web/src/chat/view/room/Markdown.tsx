import { useMemo } from "preact/hooks";
import { sameName } from "../../text/mentions";
import { parseMarkdown } from "../../text/markdown/parse";
import type { Block, Inline } from "../../text/markdown/tree";

interface Props {
  text: string;
  /** Whom a mention can call. */
  names: readonly string[];
  /** Whose mentions stand out. */
  self: string;
}

/** What a person wrote, as elements made of its parsed tree: text becomes text nodes, and nothing else. */
export function Markdown({ text, names, self }: Props) {
  const blocks = useMemo(() => parseMarkdown(text, names), [text, names]);
  return (
    <>
      {blocks.map((block, place) => (
        <BlockView key={place} block={block} self={self} />
      ))}
    </>
  );
}

function BlockView({ block, self }: { block: Block; self: string }) {
  switch (block.type) {
    case "paragraph":
      return (
        <p dir="auto">
          <Inlines content={block.content} self={self} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          {block.blocks.map((inner, place) => (
            <BlockView key={place} block={inner} self={self} />
          ))}
        </blockquote>
      );
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "list": {
      const items = block.items.map((item, place) => (
        <li key={place} dir="auto">
          <Inlines content={item} self={self} />
        </li>
      ));
      return block.start === null ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>;
    }
  }
}

function Inlines({ content, self }: { content: readonly Inline[]; self: string }) {
  return (
    <>
      {content.map((node, place) => (
        <InlineView key={place} node={node} self={self} />
      ))}
    </>
  );
}

function InlineView({ node, self }: { node: Inline; self: string }) {
  switch (node.type) {
    case "text":
      return <>{node.text}</>;
    case "strong":
      return (
        <strong>
          <Inlines content={node.content} self={self} />
        </strong>
      );
    case "emphasis":
      return (
        <em>
          <Inlines content={node.content} self={self} />
        </em>
      );
    case "strike":
      return (
        <s>
          <Inlines content={node.content} self={self} />
        </s>
      );
    case "code":
      return <code>{node.text}</code>;
    case "link":
      return (
        <a href={node.href} target="_blank" rel="noopener noreferrer">
          <Inlines content={node.content} self={self} />
        </a>
      );
    case "mention":
      return <span class={sameName(node.name, self) ? "mention self" : "mention"}>@{node.name}</span>;
    case "break":
      return <br />;
  }
}
