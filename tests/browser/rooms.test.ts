import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { ChatPage, launchBrowser } from "./page.ts";

describe("rooms and those who look after them, in browsers on three nodes", () => {
  let browser: Browser;
  let cluster: Cluster;
  let scatter: Scatter;
  const open: ChatPage[] = [];

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
    scatter = await Scatter.start(() => cluster.urls);
    browser = await launchBrowser();
  });

  afterEach(async () => {
    const chats = open.splice(0);
    await Promise.all(chats.map((chat) => chat.close()));
    for (const chat of chats) assert.deepEqual(chat.errors, []);
  });

  after(async () => {
    await browser.close();
    await scatter.stop();
    await cluster.destroy();
  });

  async function person(name: string): Promise<ChatPage> {
    const chat = await ChatPage.signedUp(browser, scatter.url, name);
    open.push(chat);
    return chat;
  }

  function other(chat: ChatPage, name: string) {
    return chat.page.locator(`[data-testid=person][data-name="${name}"]`);
  }

  /** Opens the menu beside somebody's name, and picks from it. */
  async function act(chat: ChatPage, name: string, item: string): Promise<void> {
    await other(chat, name).hover();
    await chat.pick(other(chat, name).getByTestId("person-menu"), item);
  }

  test("a private room: invited, joined, left, and not found by others", async () => {
    const [ada, bob, eve] = [await person("Ada P"), await person("Bob P"), await person("Eve P")];
    await ada.createRoom("secret plans", "private");
    await ada.say("psst");
    await ada.find("invite").click();
    await ada.find("field-name").fill("Bob P");
    await ada.find("dialog-submit").click();
    await bob.page.locator("[data-testid=invitation][data-room='secret plans']").waitFor();
    await bob.find("accept-invitation").click();
    await bob.inRoom("secret plans");
    await bob.hears("psst");
    await eve.find("find-rooms").click();
    await eve.find("browse-query").fill("secret");
    await eve.page.getByText("No public room matches").waitFor();
    await bob.pick(bob.find("room-menu"), "leave-room");
    await bob.find("dialog-submit").click();
    await bob.room("secret plans").waitFor({ state: "detached" });
    await ada.sees("Ada P");
  });

  test("a direct message finds its person, on every device", async () => {
    const [ada, bob] = [await person("Ada D"), await person("Bob D")];
    await ada.find("start-direct").click();
    await ada.find("field-name").fill("Bob D");
    await ada.find("dialog-submit").click();
    await ada.inRoom("Bob D");
    await ada.say("between us");
    await bob.unread("Ada D", 1);
    await bob.openRoom("Ada D");
    assert.equal(await bob.hears("between us"), "Ada D");
    await bob.say("yes");
    await ada.hears("yes");
  });

  test("moderation: topic, a message removed, a moderator made, somebody banned and let in again", async () => {
    const [ada, bob, eve] = [await person("Ada M"), await person("Bob M"), await person("Eve M")];
    await ada.createRoom("moderated");
    for (const chat of [bob, eve]) await chat.joinRoom("moderated");
    await ada.pick(ada.find("room-menu"), "change-topic");
    await ada.find("field-topic").fill("Be nice");
    await ada.find("dialog-submit").click();
    await eve.page.locator("[data-testid=topic]", { hasText: "Be nice" }).waitFor();

    await eve.say("something rude");
    await bob.hears("something rude");
    assert.equal(await bob.message("something rude").getByTestId("delete").count(), 0);
    await act(ada, "Bob M", "person-promote");
    await other(bob, "Bob M").and(bob.page.locator("[data-role=moderator]")).waitFor();
    await bob.doWith("something rude", "delete");
    await bob.find("dialog-submit").click();
    await eve.page.locator("[data-testid=message][data-deleted=true]").waitFor();

    await act(bob, "Eve M", "person-ban");
    await bob.find("dialog-submit").click();
    await eve.page.locator("[data-testid=toast]", { hasText: "banned from #moderated by Bob M" }).waitFor();
    await eve.room("moderated").waitFor({ state: "detached" });
    await ada.sees("Ada M", "Bob M");
    await eve.find("find-rooms").click();
    await eve.find("browse-query").fill("moderated");
    await eve.page.locator("[data-testid=found-room][data-room=moderated]").click();
    await eve.page.locator("[data-testid=dialog-problem]:not(:empty)").waitFor();
    await eve.find("close-dialog").click();

    await bob.pick(bob.find("room-menu"), "unban");
    await bob.find("field-name").fill("Eve M");
    await bob.find("dialog-submit").click();
    await bob.find("unban-dialog").waitFor({ state: "detached" });
    await eve.joinRoom("moderated");
    await ada.sees("Ada M", "Bob M", "Eve M");
  });

  test("muting holds on every device, and after a refresh", async () => {
    const ada = await person("Ada Q");
    const second = await ChatPage.open(browser, scatter.url);
    open.push(second);
    await second.signIn("Ada Q");
    await ada.createRoom("quiet");
    await second.room("quiet").waitFor();
    await ada.pick(ada.find("room-menu"), "toggle-mute");
    const muted = "[data-testid=room][data-room=quiet][data-muted=true]";
    await second.page.locator(muted).waitFor();
    await ada.page.reload();
    await ada.isIn();
    await ada.page.locator(muted).waitFor();
  });

  test("signing out everywhere ends every device, and changing the password every other one", async () => {
    const first = await person("Ada S");
    const second = await ChatPage.open(browser, scatter.url);
    open.push(second);
    await second.signIn("Ada S");
    await first.pick(first.find("account-menu"), "change-password");
    await first.find("field-current").fill("correct horse battery");
    await first.find("field-new").fill("another horse battery");
    await first.find("dialog-submit").click();
    await second.isOut();
    await second.page.locator("[data-testid=sign-in-notice]", { hasText: "password" }).waitFor();
    await second.signIn("Ada S", "another horse battery");
    await first.online();

    await second.pick(second.find("account-menu"), "sign-out-everywhere");
    await second.find("dialog-submit").click();
    for (const chat of [first, second]) await chat.isOut();
    await first.find("sign-in-notice").waitFor();
    await first.page.reload();
    await first.isOut();
  });

  test("an account that is deleted is gone", async () => {
    const ada = await person("Ada X");
    await ada.pick(ada.find("account-menu"), "delete-account");
    await ada.find("field-password").fill("not it at all");
    await ada.find("dialog-submit").click();
    await ada.page.locator("[data-testid=dialog-problem]:not(:empty)").waitFor();
    await ada.find("field-password").fill("correct horse battery");
    await ada.find("dialog-submit").click();
    await ada.isOut();
    await ada.enter("Ada X", "correct horse battery");
    await ada.page.locator("[data-testid=sign-in-problem]:not(:empty)").waitFor();
  });
});
