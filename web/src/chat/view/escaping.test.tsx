// @vitest-environment happy-dom
import { render } from "preact";
import { beforeEach, describe, expect, it } from "vitest";
import { joiningRoom } from "../state/room";
import type { Room } from "../state/model";
import { Members } from "./Members";
import { MessageList } from "./MessageList";

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

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement("div");
  document.body.replaceChildren(root);
});

function roomWith(text: string): Room {
  const message = { type: "message", at: 0, user: text, from: "x", own: false, text } as const;
  return {
    ...joiningRoom(text),
    members: [{ id: "x", user: text }],
    entries: [
      { ...message, id: 1, kind: "text" },
      { ...message, id: 2, kind: "action" },
      { type: "notice", id: 3, at: 0, user: text, change: "left", reason: text },
    ],
    outbox: [{ id: 4, at: 0, text, delivery: { is: "refused", problem: text } }],
  };
}

const dispatch = () => undefined;

describe.each(HOSTILE)("%s", (text) => {
  it("is shown as written and makes no element, wherever it stands", () => {
    const ref = { current: null };
    const drawer = { open: null, show: dispatch, close: dispatch, panels: { rooms: ref, members: ref } };
    render(
      <>
        <MessageList room={roomWith(text)} dispatch={dispatch} />
        <Members
          room={roomWith(text)}
          connection={{ is: "connecting" }}
          drawer={drawer}
          dispatch={dispatch}
        />
      </>,
      root,
    );
    const spoken = root.querySelector('[data-testid="message"][data-kind="text"]');
    expect(spoken?.textContent).toBe(text);
    expect(root.querySelector('[data-testid="member"]')?.textContent).toContain(text);
    expect(root.querySelectorAll("script, img, iframe, [onload], [onerror], [onmouseover]")).toHaveLength(0);
    for (const link of root.querySelectorAll("a")) expect(link.protocol).toMatch(/^https?:$/u);
  });
});
