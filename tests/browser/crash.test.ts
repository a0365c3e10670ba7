import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { ChatPage, launchBrowser } from "./page.ts";

describe("a node dies under people who chat in browsers", () => {
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

  test("they come back by themselves, to their rooms, and go on", async () => {
    const chats: ChatPage[] = [];
    for (const name of ["Ada", "Bob", "Carol", "Dora"]) {
      const chat = await ChatPage.signedIn(browser, scatter.url, name);
      await chat.online("websocket");
      await chat.join("resilient");
      chats.push(chat);
    }
    const [ada, bob] = chats;
    assert.ok(ada && bob);
    const { owner } = await ada.connection();
    const victim = cluster.nodes.find(({ name }) => name === owner);
    assert.ok(victim, `no node is called ${owner}`);
    await victim.kill();
    await ada.page
      .locator(`[data-testid=connection-state][data-state=online]:not([data-owner=${owner}])`)
      .waitFor();
    for (const chat of chats) {
      await chat.online();
      await chat.inRoom("resilient");
      await chat.sees("Ada", "Bob", "Carol", "Dora");
    }
    await ada.say("that was quick");
    for (const chat of chats) assert.equal(await chat.hears("that was quick"), "Ada");
    await bob.screenshot("after-a-crash");
    for (const chat of chats) assert.deepEqual(chat.errors, []);
  });
});
