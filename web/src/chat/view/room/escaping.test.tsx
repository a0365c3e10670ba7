// @vitest-environment happy-dom
import { render } from "preact";
import { beforeEach, describe, expect, it } from "vitest";
import { message } from "../../state/testKit";
import { Markdown } from "./Markdown";
import { MessageRow } from "./MessageRow";

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  '"><svg onload=alert(1)>',
  "</p><iframe src='javascript:alert(1)'></iframe>",
  "&lt;b&gt;",
  "javascript:alert(1)",
  "javascript://example.org/%0aalert(1)",
  'https://example.org/"onmouseover="alert(1)',
];

const WRAPPED = [
  (text: string) => text,
  (text: string) => `**${text}**`,
  (text: string) => `> ${text}`,
  (text: string) => `- ${text}`,
  (text: string) => `\`${text}\``,
  (text: string) => `\`\`\`\n${text}\n\`\`\``,
  (text: string) => `[${text}](https://example.org/)`,
  (text: string) => `[x](${text})`,
];

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement("div");
  document.body.replaceChildren(root);
});

function expectHarmless(): void {
  expect(root.querySelectorAll("script, img, iframe, [onload], [onerror], [onmouseover]")).toHaveLength(0);
  for (const link of root.querySelectorAll("a")) expect(link.protocol).toMatch(/^https?:$/u);
}

describe.each(HOSTILE)("%s", (text) => {
  it("is shown as written, and makes no element", () => {
    render(<Markdown text={text} names={[text]} self={text} />, root);
    expect(root.textContent).toBe(text);
    expectHarmless();
  });

  it.each(WRAPPED)("makes no element within Markdown (%#)", (wrap) => {
    render(<Markdown text={wrap(text)} names={[]} self="Ada" />, root);
    expectHarmless();
  });

  it("makes no element wherever else it stands in a message", () => {
    const author = { name: text, kind: "guest" } as const;
    const reactions = [{ emoji: text, names: [text] }];
    const shown = message(1, { author, text, reactions, replyTo: { number: 1, author: text, text } });
    const nothing = () => undefined;
    const actions = {
      reply: nothing,
      edit: nothing,
      remove: nothing,
      react: nothing,
      choose: nothing,
      jump: nothing,
    };
    render(
      <MessageRow
        message={shown}
        first
        self={text}
        names={[text]}
        moderates
        choosing={false}
        actions={actions}
      />,
      root,
    );
    expect(root.querySelector(".said-by")?.textContent).toBe(text);
    expectHarmless();
  });
});
