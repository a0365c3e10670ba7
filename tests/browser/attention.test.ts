import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { Person } from "../chat/person.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { send } from "../harness/http.ts";
import { until } from "../harness/wait.ts";
import { isAccessible } from "./accessibility.ts";
import { ChatPage, launchBrowser } from "./page.ts";

/** Writes down which notifications the page shows and how many tones it makes, and has it do both. */
const WATCHED = `{
  window.notified = [];
  window.tones = 0;
  const show = ServiceWorkerRegistration.prototype.showNotification;
  ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
    window.notified.push(title + ": " + options.body);
    return show.call(this, title, options);
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) {
    window.tones += 1;
    return start.apply(this, when);
  };
}`;

/** More than one page of each list. */
const CROWD = 230;

describe("large rooms, programs and calls for attention, in a browser", () => {
  let browser: Browser;
  let cluster: Cluster;
  let url: string;
  const open: ChatPage[] = [];

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 1 });
    url = cluster.node(1).url;
    browser = await launchBrowser();
  });

  afterEach(async () => {
    closeClients();
    const chats = open.splice(0);
    await Promise.all(chats.map((chat) => chat.close()));
    for (const chat of chats) assert.deepEqual(chat.errors, []);
  });

  after(async () => {
    await browser.close();
    await cluster.destroy();
  });

  async function person(name: string, options: BrowserContextOptions = {}): Promise<ChatPage> {
    const chat = await ChatPage.signedUp(browser, url, name, options);
    open.push(chat);
    return chat;
  }

  test("a webhook is made, copied, used and deleted", async () => {
    const ada = await person("Ada W", { permissions: ["clipboard-read", "clipboard-write"] });
    await ada.createRoom("builds");
    await ada.pick(ada.find("room-menu"), "webhooks");
    await ada.find("webhook-name").fill("Builder");
    await ada.find("make-webhook").click();
    const hook = await ada.find("webhook-url").innerText();
    await ada.find("copy-webhook-url").click();
    await ada.page.getByText("Copied.").waitFor();
    assert.equal(await ada.page.evaluate<string>("navigator.clipboard.readText()"), hook);
    await isAccessible(ada.page, "the webhooks of a room");
    await ada.screenshot("webhooks");
    await ada.find("close-dialog").click();

    const says = (text: string) => {
      const body = JSON.stringify({ text });
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
      };
      return send(hook, { method: "POST", headers, body });
    };
    assert.equal((await says("The build is green.")).status, 200);
    assert.equal(await ada.hears("The build is green."), "Builder");

    await ada.pick(ada.find("room-menu"), "webhooks");
    const listed = ada.page.locator("[data-testid=webhook][data-name=Builder]");
    await listed.waitFor();
    assert.equal(await ada.find("webhook-url").count(), 0, "the address is shown once");
    await ada.find("delete-webhook").click();
    await ada.find("confirm-delete-webhook").click();
    await listed.waitFor({ state: "detached" });
    assert.equal((await says("The build is red.")).status, 404);
  });

  test("a token for programs is made and revoked", async () => {
    const ada = await person("Ada T");
    await ada.pick(ada.find("account-menu"), "open-token");
    await ada.find("make-token").click();
    const token = await ada.find("token").innerText();
    await isAccessible(ada.page, "a token");
    const rooms = async () => {
      const headers = { authorization: `Bearer ${token}` };
      return (await send(`${url}/api/v1/rooms`, { headers })).status;
    };
    assert.equal(await rooms(), 200);
    await ada.find("revoke-token").click();
    await ada.find("no-token").waitFor();
    assert.equal(await rooms(), 401);
  });

  test("who is called is told while looking elsewhere, with sound, and not of a muted room", async () => {
    const ada = await person("Ada N", { permissions: ["notifications"] });
    await ada.page.addInitScript(WATCHED);
    await ada.page.reload();
    await ada.isIn();
    await ada.createRoom("calls");
    await ada.pick(ada.find("account-menu"), "toggle-desktop");
    await ada.pick(ada.find("account-menu"), "toggle-sound");
    const bob = await person("Bob N");
    await bob.joinRoom("calls");
    await ada.sees("Ada N", "Bob N");
    const notified = () => ada.page.evaluate<string[]>("window.notified");
    const tones = () => ada.page.evaluate<number>("window.tones");

    await bob.say("@Ada N seen as it comes");
    await ada.hears("@Ada N seen as it comes");
    await ada.hide();
    await bob.say("nobody is meant");
    await bob.say("@Ada N are you there?");
    await until("the notification", async () => (await notified()).length > 0);
    assert.deepEqual(await notified(), ["Bob N in #calls: @Ada N are you there?"]);
    assert.equal(await tones(), 2, "one sound of two tones");

    await ada.show();
    await ada.pick(ada.find("room-menu"), "toggle-mute");
    await ada.page.locator("[data-testid=room][data-room=calls][data-muted=true]").waitFor();
    await ada.hide();
    await bob.say("@Ada N still there?");
    // The title of the page counts what is unread, except in rooms that are muted.
    await ada.message("@Ada N still there?").waitFor({ state: "attached" });
    assert.equal((await notified()).length, 1, "a muted room is silent");
    assert.equal(await tones(), 2);
  });

  test("a click on a notification opens its room", async () => {
    const ada = await person("Ada K", { permissions: ["notifications"] });
    await ada.pick(ada.find("account-menu"), "toggle-desktop");
    const bob = await person("Bob K");
    await bob.find("start-direct").click();
    await bob.find("field-name").fill("Ada K");
    await bob.find("dialog-submit").click();
    await bob.inRoom("Ada K");
    await bob.say("a word with you");
    await ada.unread("Bob K", 1);
    const [worker] = ada.page.context().serviceWorkers();
    assert.ok(worker, "the page has no service worker");
    await until("the notification is clicked", () =>
      worker.evaluate<boolean>(`self.registration.getNotifications().then(([notification]) => {
        if (notification === undefined) return false;
        return self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
      })`),
    );
    await ada.inRoom("Bob K");
    assert.equal(await ada.hears("a word with you"), "Bob K");
  });

  test("a room of hundreds: the lists of people go on when asked", async () => {
    const ada = await person("Ada L");
    await ada.createRoom("crowded");
    const guests = await Promise.all(
      Array.from({ length: CROWD }, (_, place) => Person.guest(url, `guest ${place}`, "websocket")),
    );
    await Promise.all(guests.map((guest) => guest.must("room.join", { name: "crowded" })));
    await ada.page.locator("[data-testid=presence-count]", { hasText: `${CROWD + 1} here` }).waitFor();
    const present = ada.page.locator("[data-testid=person][data-present=true]");
    await ada.find("more-persons").click();
    await until("all who are there are listed", async () => (await present.count()) === CROWD + 1);
    await isAccessible(ada.page, "a crowded room");

    for (const { socket } of guests) socket.disconnect();
    await ada.page.locator("[data-testid=presence-count]", { hasText: /^1 here/u }).waitFor();
    const absent = ada.page.locator("[data-testid=person][data-present=false]");
    await until("all members are listed", async () => {
      const more = ada.find("more-members");
      // It may vanish before it is clicked, when the last part of the list has come.
      if ((await more.count()) > 0) await more.click({ timeout: 500 });
      return (await absent.count()) === CROWD;
    });
  });
});
