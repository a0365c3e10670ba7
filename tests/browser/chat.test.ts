import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { Cluster } from "../harness/cluster.ts";
import { freePort } from "../harness/ports.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { ChatPage, launchBrowser } from "./page.ts";

const PHONE = { width: 390, height: 844 };

describe("people chat in browsers, on three nodes", () => {
  let browser: Browser;
  let cluster: Cluster;
  let scatter: Scatter;
  let front: string;
  const open: ChatPage[] = [];

  before(async () => {
    const port = await freePort();
    front = `http://127.0.0.1:${port}`;
    cluster = await Cluster.start({ program: hitherNode(), size: 3, flags: { front: port } });
    scatter = await Scatter.start(() => cluster.urls);
    browser = await launchBrowser();
  });

  afterEach(async () => {
    for (const chat of open) assert.deepEqual(chat.errors, []);
    await Promise.all(open.splice(0).map((chat) => chat.close()));
  });

  after(async () => {
    await browser.close();
    await scatter.stop();
    await cluster.destroy();
  });

  async function person(url: string, name: string, options = {}): Promise<ChatPage> {
    const chat = await ChatPage.signedIn(browser, url, name, options);
    open.push(chat);
    return chat;
  }

  /** Two people meet in a room and talk. */
  async function conversation(ada: ChatPage, bob: ChatPage, room: string): Promise<void> {
    await ada.join(room);
    await bob.join(room);
    for (const chat of [ada, bob]) await chat.sees("Ada", "Bob");
    await ada.say("Hello Bob, which node are you on?");
    assert.equal(await bob.hears("Hello Bob, which node are you on?"), "Ada");
    await bob.say("Whichever. It finds its way.");
    for (const chat of [ada, bob]) assert.equal(await chat.hears("Whichever. It finds its way."), "Bob");
    await ada.say("/me waves");
    for (const chat of [ada, bob]) assert.equal(await chat.hears("waves", "action"), "Ada");
  }

  test("two people on different nodes", async () => {
    const ada = await person(cluster.node(1).url, "Ada");
    const bob = await person(cluster.node(2).url, "Bob");
    const where = [await ada.online("websocket"), await bob.online("websocket")];
    assert.deepEqual(
      where.map(({ ingress }) => ingress),
      ["node1", "node2"],
    );
    await conversation(ada, bob, "two nodes");
    await ada.screenshot("two-nodes-ada");
    await bob.screenshot("two-nodes-bob");
  });

  test("two people through the port that all nodes share", async () => {
    const ada = await person(front, "Ada");
    const bob = await person(front, "Bob");
    await conversation(ada, bob, "front");
  });

  for (const transport of ["polling", "websocket"] as const) {
    test(`two people whose every request goes to another node, over ${transport}`, async () => {
      const ada = await person(`${scatter.url}/?transport=${transport}`, "Ada");
      const bob = await person(`${scatter.url}/?transport=${transport}`, "Bob");
      for (const chat of [ada, bob]) await chat.online(transport);
      await conversation(ada, bob, `scattered ${transport}`);
    });
  }

  test("a refresh stays signed in, in the same rooms, and goes on working", async () => {
    const ada = await person(scatter.url, "Ada");
    const bob = await person(cluster.node(3).url, "Bob");
    for (const chat of [ada, bob]) await chat.join("refreshing");
    await ada.say("before");
    await bob.hears("before");
    await ada.page.reload();
    await ada.online("websocket");
    await ada.inRoom("refreshing");
    for (const chat of [ada, bob]) await chat.sees("Ada", "Bob");
    await bob.say("are you still there?");
    assert.equal(await ada.hears("are you still there?"), "Bob");
    await ada.say("I am");
    assert.equal(await bob.hears("I am"), "Ada");
    await ada.screenshot("after-a-refresh");
  });

  test("what people write is shown, and never run", async () => {
    const ada = await person(cluster.node(1).url, "Ada <b>bold</b>");
    const bob = await person(cluster.node(2).url, "Bob");
    for (const chat of [ada, bob]) await chat.join("<i>room</i> & more");
    const attacks = [
      "<script>document.title = 'owned'</script>",
      `<img src="x" onerror="document.title = 'owned'">`,
      `"><svg onload=alert(1)>`,
      "javascript:alert(1) &lt;b&gt;",
    ];
    for (const attack of attacks) {
      await ada.say(attack);
      assert.equal(await bob.hears(attack), "Ada <b>bold</b>");
    }
    for (const { page } of [ada, bob]) {
      const list = page.getByTestId("message-list");
      assert.equal(await list.locator("script, img, svg[onload], b, i").count(), 0);
      assert.doesNotMatch(await page.title(), /owned/);
    }
    await bob.screenshot("escaped");
  });

  test("who closes the window is gone from the others' lists", async () => {
    const ada = await person(cluster.node(1).url, "Ada");
    const bob = await ChatPage.signedIn(browser, cluster.node(2).url, "Bob");
    for (const chat of [ada, bob]) await chat.join("leaving");
    await ada.sees("Ada", "Bob");
    await bob.close();
    await ada.sees("Ada");
  });

  test("signing out leaves, and a refresh then asks for a name", async () => {
    const ada = await person(cluster.node(1).url, "Ada");
    const bob = await person(cluster.node(2).url, "Bob");
    for (const chat of [ada, bob]) await chat.join("signing out");
    await bob.sees("Ada", "Bob");
    await ada.find("sign-out").click();
    await ada.find("sign-in-name").waitFor();
    await bob.sees("Bob");
    await ada.page.reload();
    await ada.find("sign-in-name").waitFor();
  });

  test("a phone in the dark", async () => {
    const phone: BrowserContextOptions = {
      viewport: { width: 390, height: 844 },
      colorScheme: "dark",
      hasTouch: true,
      isMobile: true,
    };
    const ada = await person(cluster.node(1).url, "Ada");
    const bob = await ChatPage.open(browser, cluster.node(2).url, phone);
    open.push(bob);
    await bob.screenshot("phone-sign-in");
    await bob.signIn("Bob");
    await bob.find("show-rooms").click();
    await bob.join("phones");
    await ada.join("phones");
    await bob.say("Typed with two thumbs");
    assert.equal(await ada.hears("Typed with two thumbs"), "Bob");
    await bob.screenshot("phone");
    const width = await bob.page.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(width <= PHONE.width, `the page is ${width} pixels wide`);
  });
});
