import { describe, expect, it } from "vitest";
import { readTyped } from "./commands";
import { complete, completingAt, suggestions } from "./completion";
import { emojiFrom, findEmoji, withEmoji } from "./emoji";
import { mentions } from "./mentions";

const EMOJI = emojiFrom({
  "1F389": "tada",
  "2764": "heart",
  "1F44D": ["+1", "thumbsup"],
  "1F1E9-1F1EA": "de",
});

describe("commands", () => {
  it.each([
    ["hello", { is: "message", kind: "text", text: "hello" }],
    ["  /me waves ", { is: "message", kind: "action", text: "waves" }],
    ["/ME waves\nat you", { is: "message", kind: "action", text: "waves\nat you" }],
    ["//me", { is: "message", kind: "text", text: "/me" }],
    ["/usr/bin", { is: "message", kind: "text", text: "/usr/bin" }],
    ["/nick Grace Hopper", { is: "nick", name: "Grace Hopper" }],
    ["/invite @Ada", { is: "invite", name: "Ada" }],
    ["/topic", { is: "topic", topic: "" }],
    ["/who", { is: "who" }],
    [" \n ", { is: "nothing" }],
  ])("%j", (typed, expected) => {
    expect(readTyped(typed)).toEqual(expected);
  });

  it.each(["/nick", "/me  ", "/dance", "/invite"])("%s is answered with what would be right", (typed) => {
    const read = readTyped(typed);
    expect(read.is === "wrong" && read.problem).toMatch(/\/\w+/u);
  });
});

describe("emoji", () => {
  it("are made of their code points, as pictures", () => {
    expect(EMOJI.map(({ character }) => character)).toEqual(["❤️", "🎉", "👍", "👍", "🇩🇪"]);
  });
  it("take the place of their names, but not in code and addresses", () => {
    expect(withEmoji(":tada: `:tada:` :nope: 12:30:15 https://x.y/:tada:", EMOJI)).toBe(
      "🎉 `:tada:` :nope: 12:30:15 https://x.y/:tada:",
    );
  });
  it("are found by the begin of a name first", () => {
    const found = findEmoji(emojiFrom({ "1F355": "pizza", "1F1EE": "i_pizza" }), "pi", 5);
    expect(found.map(({ name }) => name)).toEqual(["pizza", "i_pizza"]);
  });
});

describe("completion", () => {
  const names = ["Ada Lovelace", "Grace", "Adam"];
  const offered = (text: string, caret = text.length) => {
    const completing = completingAt(text, caret);
    return completing === null ? null : suggestions(completing, names, EMOJI).map(({ insert }) => insert);
  };

  it.each<[string, string[] | null]>([
    ["/n", ["/nick "]],
    ["a /n", null],
    ["hi @a", ["@Ada Lovelace ", "@Adam "]],
    ["hi @Ada L", ["@Ada Lovelace "]],
    ["hi @love", ["@Ada Lovelace "]],
    ["hi @Grace", []],
    ["mail@a", null],
    [":ta", ["🎉 "]],
    ["12:30", null],
    ["plain", null],
  ])("%j", (text, expected) => {
    expect(offered(text)).toEqual(expected);
  });

  it("replaces what was typed, and no more", () => {
    const text = "hi @ad, you";
    const completing = completingAt(text, 6);
    expect(completing && complete(text, completing, { label: "", hint: "", insert: "@Adam " })).toEqual({
      text: "hi @Adam , you",
      caret: 9,
    });
  });
});

describe("mentions", () => {
  it.each([
    ["hello @Ada!", true],
    ["@ada", true],
    ["@Adam", false],
    ["ada", false],
    ["x@ada", false],
    ["@bob @Ada", true],
  ])("%s", (text, expected) => {
    expect(mentions(text, "Ada")).toBe(expected);
  });
});
