import { describe, expect, it } from "vitest";
import { byteLength } from "./bytes";
import { segments } from "./links";
import { spoken } from "./spoken";

describe("spoken", () => {
  it.each([
    ["hello", { kind: "text", text: "hello" }],
    ["  hello \n", { kind: "text", text: "hello" }],
    ["/me waves", { kind: "action", text: "waves" }],
    ["/me  waves\nand bows", { kind: "action", text: "waves\nand bows" }],
    ["/me", { kind: "text", text: "/me" }],
    ["/mean it", { kind: "text", text: "/mean it" }],
    ["say /me waves", { kind: "text", text: "say /me waves" }],
  ])("reads %j", (typed, expected) => {
    expect(spoken(typed)).toEqual(expected);
  });
});

describe("byteLength", () => {
  it("counts bytes of UTF-8, not UTF-16 units", () => {
    expect(byteLength("aé€😀")).toBe(1 + 2 + 3 + 4);
  });
});

describe("segments", () => {
  const hrefs = (text: string) => segments(text).flatMap(({ href }) => href ?? []);

  it.each([
    ["no address at all", []],
    ["see https://example.org/a?b=c#d now", ["https://example.org/a?b=c#d"]],
    ["http://a.example and https://b.example", ["http://a.example", "https://b.example"]],
    ["is it https://example.org?", ["https://example.org"]],
    ["(https://example.org/x)", ["https://example.org/x"]],
    ["https://example.org/a_(b)", ["https://example.org/a_(b)"]],
    ["javascript:alert(1) javascript://x%0aalert(1) data:text/html,x ftp://example.org", []],
    ["https://", []],
  ])("finds the addresses in %j", (text, expected) => {
    expect(hrefs(text)).toEqual(expected);
  });

  it.each(["", "plain", "https://a.example", "x https://a.example, y https://b.example."])(
    "loses nothing of %j",
    (text) => {
      expect(
        segments(text)
          .map((segment) => segment.text)
          .join(""),
      ).toBe(text);
    },
  );
});
