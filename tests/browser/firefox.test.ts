import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { artifactPath } from "../harness/artifacts.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { PASSWORD } from "./page.ts";

const EXECUTABLE = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";

/** Whatever a person waits for must be there so soon; Firefox is slower to start than Chromium. */
const PATIENCE_MS = 20_000;

describe("people chat in Firefox, on three nodes behind a proxy that scatters their requests", () => {
  let browser: Browser;
  let cluster: Cluster;
  let scatter: Scatter;

  before(async () => {
    if (!existsSync(EXECUTABLE)) throw new Error("Firefox is missing: apt-get install firefox-esr");
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
    scatter = await Scatter.start(() => cluster.urls);
    browser = await puppeteer.launch({ browser: "firefox", executablePath: EXECUTABLE, headless: true });
  });

  after(async () => {
    await browser.close();
    await scatter.stop();
    await cluster.destroy();
  });

  test("the whole way: sign up, talk, refresh, a node that dies, sign out, a wrong password, sign in", async () => {
    const ada = await FirefoxPage.signedUp(browser, scatter.url, "Ada F");
    const bob = await FirefoxPage.signedUp(browser, scatter.url, "Bob F");
    await ada.createRoom("foxes");
    await bob.joinRoom("foxes");
    await ada.say("Hello, which **node** are you on?");
    await bob.hears("Hello, which node are you on?");
    await bob.say("Whichever. It finds its way. :tada:");
    for (const chat of [ada, bob]) await chat.hears("Whichever. It finds its way. 🎉");

    await ada.page.reload();
    await ada.isIn();
    await ada.inRoom("foxes");
    await ada.hears("Hello, which node are you on?");

    const owner = await ada.attribute("connection-state", "data-owner");
    const victim = cluster.nodes.find(({ name }) => name === owner);
    assert.ok(victim, `no node is called ${String(owner)}`);
    await victim.kill();
    await ada.say("still here");
    for (const chat of [ada, bob]) await chat.hears("still here");
    await bob.say("me too");
    for (const chat of [ada, bob]) await chat.hears("me too");
    await ada.page.screenshot({ path: artifactPath("firefox.png") });

    await ada.click("account-menu");
    await ada.click("sign-out");
    await ada.click("dialog-submit");
    await ada.fill("sign-in-name", "Ada F");
    await ada.fill("sign-in-password", "not the password");
    await ada.click("sign-in-button");
    await ada.page.locator("[data-testid=sign-in-problem]:not(:empty)").wait();
    await ada.fill("sign-in-password", PASSWORD);
    await ada.click("sign-in-button");
    await ada.isIn();
    for (const chat of [ada, bob]) assert.deepEqual(chat.errors, []);
  });
});

/** One person's window of Firefox, with nothing in common with others. */
class FirefoxPage {
  readonly page: Page;
  /** Scripts that failed. */
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.errors.push(String(error)));
  }

  static async signedUp(browser: Browser, url: string, name: string): Promise<FirefoxPage> {
    const context = await browser.createBrowserContext();
    const chat = new FirefoxPage(await context.newPage());
    await chat.page.setViewport({ width: 1_280, height: 800 });
    await chat.page.goto(url);
    await chat.click("to-sign-up");
    await chat.fill("sign-in-name", name);
    await chat.fill("sign-in-password", PASSWORD);
    await chat.click("sign-in-button");
    await chat.isIn();
    return chat;
  }

  async click(testId: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.locator(`[data-testid=${testId}]`).click();
  }

  /** What is typed goes to the window in front. */
  async fill(testId: string, text: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.locator(`[data-testid=${testId}]`).fill(text);
  }

  async isIn(): Promise<void> {
    await this.page.waitForSelector(
      `[data-testid=connection-state][data-state=online]:not([data-ingress=""]):not([data-owner=""])`,
    );
    await this.page.waitForSelector("[data-testid=messages][data-loaded=true]");
  }

  async attribute(testId: string, name: string): Promise<unknown> {
    return this.page.evaluate(
      `document.querySelector('[data-testid=${testId}]').getAttribute(${JSON.stringify(name)})`,
    );
  }

  async inRoom(name: string): Promise<void> {
    await this.page.waitForFunction(
      `document.querySelector("[data-testid=room-title]")?.textContent.includes(${JSON.stringify(name)})`,
    );
    await this.page.waitForSelector("[data-testid=messages][data-loaded=true]");
  }

  async createRoom(name: string): Promise<void> {
    await this.click("create-room");
    await this.fill("field-name", name);
    await this.click("dialog-submit");
    await this.inRoom(name);
  }

  async joinRoom(name: string): Promise<void> {
    await this.click("find-rooms");
    await this.fill("browse-query", name);
    // Others than the wanted one are shown until it is found, and it moves when they go.
    await this.page.waitForFunction(`document.querySelectorAll("[data-testid=found-room]").length === 1`);
    await this.page.locator(`[data-testid=found-room][data-room="${name}"]`).click();
    await this.inRoom(name);
  }

  async say(text: string): Promise<void> {
    await this.fill("message-input", text);
    await this.page.locator("[data-testid=message-input]").click();
    await this.page.keyboard.press("Enter");
  }

  /** Waits until a message with exactly these words is shown, once. */
  async hears(text: string): Promise<void> {
    await until(
      `"${text}" is shown`,
      async () => {
        const shown = (await this.page.evaluate(
          `[...document.querySelectorAll("[data-testid=message] [data-testid=words]")].map((words) => words.textContent.trim())`,
        )) as string[];
        const count = shown.filter((words) => words === text).length;
        assert.ok(count <= 1, `"${text}" is shown more than once`);
        return count === 1;
      },
      { within: PATIENCE_MS },
    );
  }
}
