import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { isAccessible } from "./accessibility.ts";
import { ChatPage, launchBrowser } from "./page.ts";

const PHONE = { width: 390, height: 844 };

describe("people chat in browsers, on three nodes behind a proxy that scatters their requests", () => {
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

  function kept(chat: ChatPage): ChatPage {
    open.push(chat);
    return chat;
  }

  async function person(name: string, url = scatter.url, options = {}): Promise<ChatPage> {
    return kept(await ChatPage.signedUp(browser, url, name, options));
  }

  for (const transport of ["polling", "websocket"] as const) {
    test(`two people talk over ${transport}`, async () => {
      const room = `talk ${transport}`;
      const ada = await person(`Ada ${transport}`, `${scatter.url}/?transport=${transport}`);
      const bob = await person(`Bob ${transport}`, `${scatter.url}/?transport=${transport}`);
      for (const chat of [ada, bob]) await chat.online(transport);
      await ada.createRoom(room);
      await bob.joinRoom(room);
      for (const chat of [ada, bob]) await chat.sees(`Ada ${transport}`, `Bob ${transport}`);
      await ada.say("Hello, which **node** are you on?");
      assert.equal(await bob.hears("Hello, which node are you on?"), `Ada ${transport}`);
      await bob.say("Whichever. It finds its way. :tada:");
      for (const chat of [ada, bob]) {
        assert.equal(await chat.hears("Whichever. It finds its way. 🎉"), `Bob ${transport}`);
      }
      await bob.find("message-input").pressSequentially("wait");
      await ada.page.locator("[data-testid=typing]", { hasText: "is typing" }).waitFor();
      await ada.screenshot(`talk-${transport}`);
    });
  }

  test("signing up, out and in; a wrong password tells nothing, a taken name says so", async () => {
    const ada = await person("Ida");
    await ada.pick(ada.find("account-menu"), "sign-out");
    await ada.find("dialog-submit").click();
    await ada.isOut();
    await ada.page.reload();
    await ada.isOut();

    await ada.enter("Ida", "not the password");
    const wrong = ada.page.locator("[data-testid=sign-in-problem]:not(:empty)");
    await wrong.waitFor();
    const told = await wrong.innerText();
    await ada.enter("Nobody at all", "not the password");
    await ada.page.locator("[data-testid=sign-in-button]:enabled").waitFor();
    await wrong.waitFor();
    assert.equal(await wrong.innerText(), told);

    await ada.find("to-sign-up").click();
    await ada.enter("iDA", "another password");
    await wrong.waitFor();
    await ada.find("to-sign-in").click();
    await ada.signIn("Ida");
    assert.equal(await ada.find("signed-in-as").innerText(), "Ida");
  });

  test("a refresh, and a second tab, stay signed in and in the room", async () => {
    const ada = await person("Rhea");
    await ada.createRoom("refreshing");
    await ada.say("before");
    await ada.hears("before");
    await ada.find("message-input").fill("half a thought");
    await ada.page.reload();
    await ada.isIn();
    await ada.inRoom("refreshing");
    await ada.hears("before");
    assert.equal(await ada.find("message-input").inputValue(), "half a thought");
    await ada.openRoom("lobby");
    assert.equal(await ada.find("message-input").inputValue(), "", "a draft belongs to its room");
    await ada.room("refreshing").getByText("draft").waitFor();
    await ada.openRoom("refreshing");
    assert.equal(await ada.find("message-input").inputValue(), "half a thought");
    const tab = await ChatPage.tab(ada.page.context(), scatter.url);
    await tab.isIn();
    await tab.openRoom("refreshing");
    await ada.say("from the first");
    await tab.hears("from the first");
    await tab.sees("Rhea");
  });

  test("what is unread is right on every device at once, and read on all when read on one", async () => {
    const [desk, bob] = [await person("Uma"), await person("Ulf")];
    const laptop = kept(await ChatPage.open(browser, scatter.url));
    await laptop.signIn("Uma");
    await desk.createRoom("unread");
    await bob.joinRoom("unread");
    await laptop.room("unread").waitFor();
    for (const chat of [desk, laptop]) await chat.openRoom("lobby");
    for (const text of ["one", "two", "three"]) await bob.say(text);
    // The room's own word of who joined counts as well, unless it was seen.
    for (const chat of [desk, laptop]) {
      await chat.page
        .locator('[data-testid=room][data-room=unread]:is([data-unread="3"], [data-unread="4"])')
        .waitFor();
    }
    assert.match(await desk.page.title(), /^\(\d+\) /u);
    await desk.openRoom("unread");
    await desk.hears("three");
    await desk.find("new-mark").waitFor();
    for (const chat of [desk, laptop]) await chat.unread("unread", 0);
    await laptop.openRoom("unread");
    assert.equal(await laptop.find("new-mark").count(), 0);
  });

  test("editing, reacting, replying and deleting are seen by the others at once", async () => {
    const [ada, bob] = [await person("Edda"), await person("Egon")];
    await ada.createRoom("editing");
    await bob.joinRoom("editing");
    await ada.say("frist");
    await bob.hears("frist");
    await ada.doWith("frist", "edit");
    await ada.find("message-input").fill("first");
    await ada.find("message-input").press("Enter");
    await bob.message("first").getByTestId("edited").waitFor();

    await bob.doWith("first", "react");
    await bob.page.locator('[data-testid=emoji][data-emoji="👍"]').click();
    await ada.page.locator('[data-testid=reaction][data-emoji="👍"][data-count="1"]').waitFor();
    await ada.page.locator('[data-testid=reaction][data-emoji="👍"]').click();
    await bob.page.locator('[data-testid=reaction][data-emoji="👍"][data-count="2"]').waitFor();

    await bob.doWith("first", "reply");
    await bob.say("indeed");
    await ada.message("indeed").waitFor();
    await ada.page.locator("[data-testid=quoted]", { hasText: "first" }).waitFor();

    await ada.doWith("first", "delete");
    await ada.find("dialog-submit").click();
    await bob.page.locator("[data-testid=message][data-deleted=true]").waitFor();
    await bob.page.locator("[data-testid=quoted]", { hasText: "was deleted" }).waitFor();
    assert.equal(await bob.page.getByText("first", { exact: true }).count(), 0);
  });

  test("history is read by scrolling, found by searching, and left again for the newest", async () => {
    const ada = await person("Hilda");
    await ada.createRoom("long");
    for (let number = 1; number <= 130; number += 1) {
      await ada.find("message-input").fill(number === 20 ? "the needle" : `hay ${number}`);
      await ada.find("message-input").press("Enter");
    }
    await ada.hears("hay 130");
    await ada.page.reload();
    await ada.isIn();
    await ada.hears("hay 130");
    assert.equal(await ada.message("hay 1").count(), 0, "the page has more than it asked for");

    const list = ada.find("messages");
    await until("the first message is here", async () => {
      await list.evaluate((element: { scrollTop: number }) => {
        element.scrollTop = 0;
      });
      return (await ada.message("hay 1").count()) === 1;
    });

    await ada.find("show-search").click();
    await ada.find("search-input").fill("needle");
    await ada.find("search-input").press("Enter");
    await ada.find("hit").click();
    await ada.page.locator("[data-testid=message]:focus", { hasText: "the needle" }).waitFor();
    await ada.message("hay 21").waitFor();
    await ada.screenshot("search");
    await isAccessible(ada.page, "a search");
    await ada.find("to-newest").click();
    await ada.message("hay 130").waitFor();
    const numbers = await ada.numbers();
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(numbers).size, numbers.length);

    await ada.find("jump-to-date").click();
    await isAccessible(ada.page, "jumping to a date");
    await ada.find("dialog-submit").click();
    await ada.message("hay 1").and(ada.page.locator(":focus")).waitFor();
  });

  test("what people write is shown, and never run", async () => {
    const [ada, bob] = [await person("Ax"), await person("Bx")];
    await ada.createRoom("<i>room</i> & more");
    await bob.joinRoom("<i>room</i> & more");
    const attacks = [
      "<script>document.title = 'owned'</script>",
      `<img src="x" onerror="document.title = 'owned'">`,
      `"><svg onload=alert(1)>`,
      "[x](javascript:alert(1)) &lt;b&gt;",
    ];
    for (const attack of attacks) {
      await ada.say(attack);
      assert.equal(await bob.hears(attack), "Ax");
    }
    for (const { page } of [ada, bob]) {
      const list = page.getByTestId("message-list");
      assert.equal(await list.locator("script, img, svg[onload], b, i, a").count(), 0);
      assert.doesNotMatch(await page.title(), /owned/u);
    }
  });

  test("a guest says so, changes the name, and uses commands", async () => {
    const guest = kept(await ChatPage.open(browser, scatter.url));
    await guest.asGuest("Gus");
    await guest.openRoom("lobby");
    await guest.say("/nick Gustav");
    await guest.page.locator("[data-testid=signed-in-as]", { hasText: "Gustav" }).waitFor();
    await guest.say("/me waves");
    await guest.page.locator("[data-testid=message][data-kind=action]", { hasText: "waves" }).waitFor();
    await guest.say("/dance");
    await guest.page.locator("[data-testid=note]", { hasText: "no command /dance" }).waitFor();
    assert.equal(await guest.find("message-input").inputValue(), "/dance");
    await guest.say("/who");
    await guest.page.locator("[data-testid=note]", { hasText: "Gustav" }).waitFor();
    await guest.find("message-input").fill("");
    await guest.find("message-input").pressSequentially("@gus");
    await guest.page.locator("[data-testid=completion]", { hasText: "@Gustav" }).waitFor();
    await guest.find("message-input").press("Tab");
    assert.equal(await guest.find("message-input").inputValue(), "@Gustav ");
    await guest.find("message-input").fill("");
    await guest.find("message-input").pressSequentially(":tad");
    await guest.page.locator("[data-testid=completion]", { hasText: ":tada:" }).waitFor();
    await guest.find("message-input").press("Tab");
    assert.equal(await guest.find("message-input").inputValue(), "🎉 ");
    await guest.find("message-input").fill("");
    await guest.find("message-input").pressSequentially("/he");
    await guest.page.locator("[data-testid=completion]", { hasText: "/help" }).waitFor();
    await guest.find("message-input").press("Tab");
    await guest.find("message-input").press("Enter");
    await guest.find("help-dialog").waitFor();
    await isAccessible(guest.page, "the help");
  });

  test("a phone in the dark", async () => {
    const phone = await person("Phoebe", scatter.url, {
      viewport: PHONE,
      colorScheme: "dark",
      hasTouch: true,
      isMobile: true,
    });
    await phone.find("show-rooms").click();
    await phone.room("lobby").click();
    await phone.say("Typed with two thumbs");
    await phone.hears("Typed with two thumbs");
    await phone.screenshot("phone");
    await isAccessible(phone.page, "the phone");
    const width = await phone.page.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(width <= PHONE.width, `the page is ${width} pixels wide`);
  });

  test("the keyboard alone does, and axe finds nothing", async () => {
    const out = kept(await ChatPage.open(browser, scatter.url));
    await out.isOut();
    await isAccessible(out.page, "signing in");
    const ada = await person("Kay");
    const { keyboard } = ada.page;
    await keyboard.press("Control+k");
    await ada.find("browse-query").waitFor();
    await ada.find("found-room").first().waitFor();
    await isAccessible(ada.page, "finding rooms");
    await keyboard.press("Escape");
    await ada.say("with the keyboard");
    await ada.hears("with the keyboard");
    await ada.find("messages").focus();
    await keyboard.press("ArrowUp");
    await ada.page.locator("[data-testid=message]:focus", { hasText: "with the keyboard" }).waitFor();
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await ada.find("emoji-picker").waitFor();
    await isAccessible(ada.page, "a reaction");
    await keyboard.press("Enter");
    await ada.page.locator("[data-testid=reaction][data-count='1']").waitFor();
    await ada.find("account-menu").focus();
    await keyboard.press("Enter");
    await isAccessible(ada.page, "the account menu");
    await keyboard.press("Escape");
    await ada.find("message-input").press("Shift+Tab");
    await ada.find("message-input").focus();
    await keyboard.press("ArrowUp");
    await ada.find("composer-mode").waitFor();
    await keyboard.press("Escape");
    await ada.find("composer-mode").waitFor({ state: "detached" });
    for (const colorScheme of ["light", "dark"] as const) {
      await ada.page.emulateMedia({ colorScheme });
      await isAccessible(ada.page, `a room, ${colorScheme}`);
    }
  });
});
