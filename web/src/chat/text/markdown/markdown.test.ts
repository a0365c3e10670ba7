import { describe, expect, it } from "vitest";
import { parseMarkdown } from "./parse";
import { plainText } from "./plain";
import type { Block, Inline } from "./tree";

const text = (words: string): Inline => ({ type: "text", text: words });
const paragraph = (...content: Inline[]): Block => ({ type: "paragraph", content });

describe("emphasis", () => {
  it.each<[string, Inline[]]>([
    ["**bold**", [{ type: "strong", content: [text("bold")] }]],
    ["*it* and _it_", [em("it"), text(" and "), em("it")]],
    ["~~gone~~", [{ type: "strike", content: [text("gone")] }]],
    ["**a *b* c**", [{ type: "strong", content: [text("a "), em("b"), text(" c")] }]],
    ["*a **b** c*", [{ type: "emphasis", content: [text("a "), strong("b"), text(" c")] }]],
    ["`a *b*`", [{ type: "code", text: "a *b*" }]],
    ["``a ` b``", [{ type: "code", text: "a ` b" }]],
  ])("%s", (written, expected) => {
    expect(parseMarkdown(written)).toEqual([paragraph(...expected)]);
  });

  it.each([
    "2 * 3 * 4",
    "snake_case_name",
    "**",
    "****",
    "* a",
    "a ** b",
    "`open",
    "``",
    "_ _",
    "*open",
    "\\*no\\*",
  ])("leaves %s as text", (written) => {
    const [only] = parseMarkdown(written.startsWith("* ") ? `x ${written}` : written);
    const marked = only?.type === "paragraph" ? only.content.filter((node) => node.type !== "text") : [];
    expect(marked).toEqual([]);
  });

  it("shows an escaped mark without its backslash", () => {
    expect(parseMarkdown("\\*no\\*")).toEqual([paragraph(text("*no*"))]);
  });

  it("keeps a backslash that escapes nothing", () => {
    expect(parseMarkdown("C:\\temp")).toEqual([paragraph(text("C:\\temp"))]);
  });
});

describe("links", () => {
  it("makes one of words and a web address", () => {
    const link: Inline = { type: "link", href: "https://example.org/a", content: [text("the page")] };
    expect(parseMarkdown("see [the page](https://example.org/a).")).toEqual([
      paragraph(text("see "), link, text(".")),
    ]);
  });

  it("makes one of a bare address, without the end of the sentence", () => {
    const href = "https://example.org/x_(y)";
    expect(parseMarkdown(`(${href}), yes`)).toEqual([
      paragraph(text("("), { type: "link", href, content: [text(href)] }, text("), yes")),
    ]);
  });

  it.each([
    "[x](javascript:alert(1))",
    "[x](data:text/html,hi)",
    "[x](//evil.example)",
    "[x](/relative)",
    "[x]()",
  ])("makes none of %s", (written) => {
    expect(JSON.stringify(parseMarkdown(written))).not.toContain('"link"');
  });

  it("marks nothing within an address", () => {
    const href = "https://example.org/a_b_c*d*e";
    expect(parseMarkdown(href)).toEqual([paragraph({ type: "link", href, content: [text(href)] })]);
  });
});

describe("mentions", () => {
  const names = ["Ada", "Ada Lovelace", "bob"];
  it("takes the longest name", () => {
    expect(parseMarkdown("hi @Ada Lovelace!", names)).toEqual([
      paragraph(text("hi "), { type: "mention", name: "Ada Lovelace" }, text("!")),
    ]);
  });
  it.each(["mail ada@Ada", "@Adam", "@nobody"])("is not %s", (written) => {
    expect(JSON.stringify(parseMarkdown(written, names))).not.toContain("mention");
  });
});

describe("blocks", () => {
  it("tells paragraphs, quotes, lists and code apart", () => {
    const written = "one\ntwo\n\n> said\n> more\n- a\n- b\n3. c\n4. d\n```rust\nlet *x*;\n\n```\nend";
    expect(parseMarkdown(written)).toEqual([
      paragraph(text("one"), { type: "break" }, text("two")),
      { type: "quote", blocks: [paragraph(text("said"), { type: "break" }, text("more"))] },
      { type: "list", start: null, items: [[text("a")], [text("b")]] },
      { type: "list", start: 3, items: [[text("c")], [text("d")]] },
      { type: "code", text: "let *x*;\n" },
      paragraph(text("end")),
    ]);
  });

  it("takes a fence without an end for text", () => {
    expect(parseMarkdown("```\nopen")).toEqual([paragraph(text("```"), { type: "break" }, text("open"))]);
  });

  it("bounds quotes within quotes", () => {
    expect(JSON.stringify(parseMarkdown(">".repeat(100) + "x")).match(/quote/gu)).toHaveLength(4);
  });
});

describe("any text", () => {
  const marks = ["*", "**", "_", "`", "~~", "[", "]", ")", ">", "- ", "1. ", "\n", "@Ada", " ", "a"];

  it("keeps every letter", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 500; round += 1) {
      const written = Array.from({ length: random(60) }, () => marks[random(marks.length)] ?? "").join("");
      expect(count(plainText(written), "a"), written).toBe(count(written, "a"));
    }
  });

  // What grows faster than the square of the length would not end within this.
  it("is read in bounded time", { timeout: 60_000 }, () => {
    const repeated = [...marks, "```", "https://x.y/", "*a ", "[a](", "**a*", "> *", "\\"];
    for (const mark of repeated) {
      const written = mark.repeat(4096 / mark.length);
      expect(plainText(written).length).toBeLessThanOrEqual(written.length);
    }
  });
});

it("gives the words alone", () => {
  expect(plainText("**Hi** [you](https://x.y)\n> and `you`\n- too")).toBe("Hi you and you too");
});

function em(words: string): Inline {
  return { type: "emphasis", content: [text(words)] };
}

function strong(words: string): Inline {
  return { type: "strong", content: [text(words)] };
}

function count(words: string, letter: string): number {
  return words.split(letter).length - 1;
}
