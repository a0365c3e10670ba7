import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { Person } from "../chat/person.ts";
import { closeClients } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { ChatPage, launchBrowser } from "./page.ts";

describe("connections break under people who chat in browsers", () => {
  let browser: Browser;
  let cluster: Cluster;
  let scatter: Scatter;

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
    scatter = await Scatter.start(() => cluster.urls);
    browser = await launchBrowser();
  });

  after(async () => {
    await browser.close();
    await scatter.stop();
    await cluster.destroy();
  });

  test("offline: what is written waits, plainly, also over a refresh, and is sent once it is back", async () => {
    const ada = await ChatPage.signedUp(browser, scatter.url, "Ada O");
    const bob = await ChatPage.signedUp(browser, scatter.url, "Bob O");
    await ada.createRoom("islands");
    await bob.joinRoom("islands");
    // Without the shell, a page without a network would not open.
    await until("the page is kept", () =>
      ada.page.evaluate<boolean>("navigator.serviceWorker.controller !== null"),
    );
    const devtools = await ada.page.context().newCDPSession(ada.page);
    const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
    // Each test has a window of its own, from which nothing is installed.
    assert.deepEqual(
      installabilityErrors.map(({ errorId }) => errorId),
      ["in-incognito"],
    );
    await ada.page.context().setOffline(true);
    await ada.page.locator("[data-testid=connection-state][data-state=reconnecting]").waitFor();
    await ada.say("from the island");
    await ada.say("still here");
    await ada.page.locator("[data-testid=unsent-message][data-status=waiting]").nth(1).waitFor();
    await ada.find("offline").waitFor();
    await ada.screenshot("offline");
    await bob.say("where is Ada?");
    await ada.page.reload();
    await ada.find("starting").waitFor();
    await ada.page.context().setOffline(false);
    await ada.isIn();
    for (const text of ["from the island", "still here"]) assert.equal(await bob.hears(text), "Ada O");
    for (const text of ["where is Ada?", "from the island", "still here"]) await ada.hears(text);
    await ada.find("unsent-message").first().waitFor({ state: "detached" });
    const numbers = await bob.numbers();
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    for (const chat of [ada, bob]) {
      assert.deepEqual(chat.errors, []);
      await chat.close();
    }
  });

  test("what was edited and deleted meanwhile is so on coming back, far up in the room as well", async () => {
    const ada = await ChatPage.signedUp(browser, scatter.url, "Ada E");
    await ada.createRoom("proofs");
    const bob = await Person.member(scatter.url, "Bob E");
    const { room } = await bob.must("room.join", { name: "proofs" }).then(({ membership }) => {
      assert.ok(membership);
      return membership;
    });
    // More than the page asks for when it comes back.
    const said: number[] = [];
    for (let line = 1; line <= 70; line += 1) said.push((await bob.say(room, `line ${line}`)).number);
    await ada.hears("line 70");
    const [first = 0, second = 0] = said;

    await ada.page.context().setOffline(true);
    await ada.page.locator("[data-testid=connection-state][data-state=reconnecting]").waitFor();
    await bob.must("message.edit", { room, number: first, text: "line one" });
    await bob.must("message.delete", { room, number: second });
    await bob.say(room, "all is proof-read");
    await ada.page.context().setOffline(false);
    await ada.hears("all is proof-read");
    await ada.message("line one").waitFor({ state: "attached" });
    await ada.page
      .locator(`[data-testid=message][data-number="${second}"][data-deleted=true]`)
      .waitFor({ state: "attached" });
    assert.deepEqual(ada.errors, []);
    await ada.close();
    closeClients();
  });

  test("on a slow network the page opens, signs up and talks", async () => {
    const ada = await ChatPage.open(browser, "about:blank");
    const network = await ada.page.context().newCDPSession(ada.page);
    await network.send("Network.enable");
    // A poor mobile connection: what a second carries, in bytes.
    await network.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 400,
      downloadThroughput: 50_000,
      uploadThroughput: 20_000,
    });
    await ada.page.goto(scatter.url);
    await ada.signUp("Ada G");
    await ada.createRoom("far from any mast");
    await ada.say("slow but sure");
    await ada.hears("slow but sure");
    await ada.find("unsent-message").waitFor({ state: "detached" });
    assert.deepEqual(ada.errors, []);
    await ada.close();
  });

  test("a node dies: they come back by themselves, and miss nothing", async () => {
    const chats: ChatPage[] = [];
    for (const name of ["Ada C", "Bob C", "Carol C", "Dora C"]) {
      const chat = await ChatPage.signedUp(browser, scatter.url, name);
      await chat.online("websocket");
      if (chats.length === 0) await chat.createRoom("resilient");
      else await chat.joinRoom("resilient");
      chats.push(chat);
    }
    const [ada, bob] = chats;
    assert.ok(ada && bob);
    const { owner } = await ada.connection();
    const victim = cluster.nodes.find(({ name }) => name === owner);
    assert.ok(victim, `no node is called ${owner}`);
    // A word under way as the node dies, and one written while nobody knows of it yet.
    await ada.say("last words?");
    await victim.kill();
    await ada.say("first words");
    for (const chat of chats) {
      for (const text of ["last words?", "first words"]) assert.equal(await chat.hears(text), "Ada C");
    }
    for (const chat of chats) await chat.online();
    assert.equal(await ada.find("offline").count(), 0, "a crash is no more than a moment");
    await bob.say("all here?");
    for (const chat of chats) {
      assert.equal(await chat.hears("all here?"), "Bob C");
      await chat.sees("Ada C", "Bob C", "Carol C", "Dora C");
      assert.deepEqual(chat.errors, []);
      await chat.close();
    }
  });
});
