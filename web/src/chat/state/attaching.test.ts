import { describe, expect, it } from "vitest";
import type { Attachment } from "../protocol";
import type { Command } from "./events";
import { message, Page } from "./testKit";

const PICTURE: Attachment = { id: "a", name: "cat.png", type: "image/png", bytes: 10, width: 4, height: 3 };

function file(id: number, bytes = 10) {
  return { id, name: `file ${id}`, bytes };
}

function attach(...files: ReturnType<typeof file>[]) {
  return { type: "attach", room: "r", files } as const;
}

function done(id: number, attachment = PICTURE) {
  return { type: "upload ended", room: "r", id, result: { attachment } } as const;
}

function say(text: string) {
  return { type: "send", room: "r", text, kind: "text", id: "own", at: 0 } as const;
}

function of<Type extends Command["type"]>(page: Page, type: Type): Extract<Command, { type: Type }>[] {
  return page.taken().filter((command): command is Extract<Command, { type: Type }> => command.type === type);
}

describe("files", () => {
  it("are uploaded as soon as they are chosen", () => {
    const page = Page.inRoom().on(attach(file(1)));
    expect(of(page, "upload")).toEqual([{ type: "upload", room: "r", id: 1 }]);
    page.on({ type: "upload progressed", room: "r", id: 1, sent: 4 });
    expect(page.room().uploads[0]?.progress).toEqual({ is: "sending", sent: 4 });
  });

  it("wait for a connection", () => {
    const page = Page.inRoom().on({ type: "disconnected", at: 0 }, attach(file(1)));
    expect(of(page, "upload")).toEqual([]);
    page.on({ type: "connected", recovered: true, transport: "websocket" });
    expect(of(page, "upload")).toHaveLength(1);
  });

  it.each([
    ["an empty one", [file(1, 0)], "“file 1” is empty."],
    ["one that is too large", [file(1, 1_001)], "“file 1” has 1001 bytes: too large"],
    ["one too many", [file(2), file(3), file(1)], "A message takes at most 2 files."],
  ])("are refused before they are sent: %s", (_, files, problem) => {
    const page = Page.inRoom().on(attach(...files));
    expect(page.chatting.toasts[0]?.text).toContain(problem);
    expect(page.room().uploads.map(({ id }) => id)).not.toContain(1);
    expect(of(page, "forget file")).toEqual([{ type: "forget file", id: 1 }]);
  });

  it("are taken by no server that says so, and by no message that is edited", () => {
    const own = message(3, { author: { name: "Ada", kind: "member" } });
    const page = Page.inRoom().on({ type: "edit", room: "r", message: own }, attach(file(1)));
    expect(page.chatting.toasts[0]?.text).toContain("edited");
    expect(page.room().uploads).toEqual([]);
  });

  it("go with the next message, which needs no words then", () => {
    const page = Page.inRoom().on(
      attach(file(1), file(2)),
      done(1),
      done(2, { ...PICTURE, id: "b" }),
      say(""),
    );
    const commands = page.taken();
    expect(commands).toContainEqual({ type: "forget file", id: 2 });
    expect(commands.find(({ type }) => type === "send")).toMatchObject({
      outgoing: { text: "", attachments: [{ id: "a" }, { id: "b" }] },
    });
    expect(page.room().uploads).toEqual([]);
    page.on({
      type: "send answered",
      room: "r",
      id: "own",
      result: { is: "stored", number: 4, time: 0 },
      at: 0,
    });
    expect(page.room().timeline.messages.at(-1)?.attachments).toHaveLength(2);
  });

  it("hold a message back until they are there", () => {
    const page = Page.inRoom().on(attach(file(1)), say("look"));
    expect(of(page, "send")).toEqual([]);
    page.on({ type: "upload ended", room: "r", id: 1, result: { problem: "No." } }, say("look"));
    expect(of(page, "send")).toEqual([]);
    page.on({ type: "retry upload", room: "r", id: 1 });
    expect(of(page, "upload")).toHaveLength(1);
    page.on({ type: "remove upload", room: "r", id: 1 }, say("look"));
    expect(of(page, "send")[0]?.outgoing.attachments).toEqual([]);
  });

  it("are forgotten with their room", () => {
    const page = Page.inRoom().on(attach(file(1)), {
      type: "room left",
      left: { room: "r", reason: "left" },
    });
    expect(of(page, "forget file")).toEqual([{ type: "forget file", id: 1 }]);
  });
});
