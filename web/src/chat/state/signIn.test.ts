import { describe, expect, it } from "vitest";
import { Page } from "./testKit";
import { signedOut } from "./update";

const signingIn = (name: string) => new Page(signedOut("").state).on({ type: "sign in", name });

describe("signing in", () => {
  it("connects under the trimmed name and chats once connected", () => {
    const page = signingIn("  Ana ");
    expect(page.commands()).toEqual([{ type: "connect", name: "Ana" }]);
    page.connect("ana-1");
    expect(page.chat).toMatchObject({ user: "Ana", connection: { is: "online", socketId: "ana-1" } });
  });

  it("asks for a name that is not blank", () => {
    const page = signingIn("   ");
    expect(page.state).toMatchObject({ phase: "signed out", problem: "Please enter a name." });
    expect(page.commands()).toEqual([]);
  });

  it("says why the server refused, keeps the name in the form and stops connecting", () => {
    const page = signingIn("Ana");
    page.commands();
    page.on({ type: "refused", problem: "Taken." });
    expect(page.state).toEqual({ phase: "signed out", name: "Ana", problem: "Taken." });
    expect(page.commands()).toEqual([{ type: "disconnect" }]);
  });

  it("says that no node answers, and can be given up", () => {
    const page = signingIn("Ana").on({ type: "unreachable" });
    expect(page.state).toMatchObject({ phase: "signing in", unreachable: true });
    expect(page.on({ type: "sign out" }).state.phase).toBe("signed out");
  });

  it("takes the name, the limits and the suggestions from the welcome", () => {
    const page = Page.online().on({
      type: "welcomed",
      welcome: { user: "ana", rooms: ["lobby"], limits: { message: 10 } },
    });
    expect(page.chat).toMatchObject({ user: "ana", suggestedRooms: ["lobby"], messageLimit: 10 });
  });

  it("shows what a refusal at a reconnect says", () => {
    const page = Page.in("lobby").on({ type: "disconnected" }).on({ type: "refused", problem: "Banned." });
    expect(page.state).toEqual({ phase: "signed out", name: "Ana", problem: "Banned." });
    expect(page.commands()).toEqual([{ type: "disconnect" }]);
  });

  it("ignores what a closed connection still had to say", () => {
    const page = Page.in("lobby").on({ type: "sign out" });
    const { state } = page;
    expect(page.hear({}).state).toBe(state);
  });
});
