import assert from "node:assert/strict";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { artifactPath } from "../harness/artifacts.ts";
import { until } from "../harness/wait.ts";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Nothing but the page under test: a machine for tests may be alone, and need not reach the browser's maker. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

/** CI runs as root, where Chromium has no sandbox of its own. */
const AS_ROOT = ["--no-sandbox", "--disable-gpu"];

/** Whatever a person waits for must be there so soon. */
const PATIENCE_MS = 10_000;

export const PASSWORD = "correct horse battery";

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, headless: true, args: [...QUIET, ...AS_ROOT] });
}

/** The connection badge's data. */
export interface Connection {
  state: string;
  transport: string;
  ingress: string;
  owner: string;
}

/** One person's browser window with the chat in it. */
export class ChatPage {
  readonly page: Page;
  /** Scripts that failed and dialogs of the browser. */
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("dialog", (dialog) => {
      this.errors.push(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** A browser of its own, with nothing in common with others: another device. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<ChatPage> {
    const context = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
    return ChatPage.tab(context, url);
  }

  /** One more tab of the same browser. */
  static async tab(context: BrowserContext, url: string): Promise<ChatPage> {
    const chat = new ChatPage(await context.newPage());
    await chat.page.goto(url);
    return chat;
  }

  static async signedUp(
    browser: Browser,
    url: string,
    name: string,
    options: BrowserContextOptions = {},
  ): Promise<ChatPage> {
    const chat = await ChatPage.open(browser, url, options);
    await chat.signUp(name);
    return chat;
  }

  find(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async signUp(name: string, password = PASSWORD): Promise<void> {
    await this.find("to-sign-up").click();
    await this.enter(name, password);
    await this.isIn();
  }

  async signIn(name: string, password = PASSWORD): Promise<void> {
    await this.enter(name, password);
    await this.isIn();
  }

  async asGuest(name: string): Promise<void> {
    await this.find("to-guest").click();
    await this.find("sign-in-name").fill(name);
    await this.find("sign-in-button").click();
    await this.isIn();
  }

  /** Fills in the form that is shown, and sends it. */
  async enter(name: string, password: string): Promise<void> {
    await this.find("sign-in-name").fill(name);
    await this.find("sign-in-password").fill(password);
    await this.find("sign-in-button").click();
  }

  /** Waits until the page is connected and shows a room. */
  async isIn(): Promise<void> {
    await this.online();
    await this.page.locator("[data-testid=messages][data-loaded=true]").waitFor();
  }

  /** Waits until the page asks who one is. */
  async isOut(): Promise<void> {
    await this.find("sign-in-name").waitFor();
  }

  /** Waits until the badge says that we are connected, and where the session is. */
  async online(transport?: "polling" | "websocket"): Promise<Connection> {
    const wanted = transport === undefined ? "" : `[data-transport=${transport}]`;
    await this.page
      .locator(
        `[data-testid=connection-state][data-state=online]${wanted}:not([data-ingress=""]):not([data-owner=""])`,
      )
      .waitFor({ state: "attached" });
    return this.connection();
  }

  async connection(): Promise<Connection> {
    const badge = this.find("connection-state");
    const read = async (name: string) => (await badge.getAttribute(`data-${name}`)) ?? "";
    return {
      state: await read("state"),
      transport: await read("transport"),
      ingress: await read("ingress"),
      owner: await read("owner"),
    };
  }

  /** A room in the list, by its name. On a phone the list is in a drawer. */
  room(name: string): Locator {
    return this.page.locator(`[data-testid=room][data-room="${name}"]`);
  }

  async openRoom(name: string): Promise<void> {
    await this.room(name).click();
    await this.inRoom(name);
  }

  /** Waits until this room is shown, with its messages. */
  async inRoom(name: string): Promise<void> {
    await this.page.locator("[data-testid=room-title]", { hasText: name }).waitFor();
    await this.page.locator("[data-testid=messages][data-loaded=true]").waitFor();
  }

  async createRoom(name: string, kind: "public" | "private" = "public"): Promise<void> {
    await this.find("create-room").click();
    await this.find(`kind-${kind}`).check();
    await this.find("field-name").fill(name);
    await this.find("dialog-submit").click();
    await this.inRoom(name);
  }

  /** Finds a public room by a part of its name, and joins it. */
  async joinRoom(name: string): Promise<void> {
    await this.find("find-rooms").click();
    await this.find("browse-query").fill(name.slice(0, 12));
    await this.page.locator(`[data-testid=found-room][data-room="${name}"]`).click();
    await this.inRoom(name);
  }

  /** Opens a menu and picks from it. */
  async pick(menu: Locator, item: string): Promise<void> {
    await menu.click();
    await this.find(item).click();
  }

  async say(text: string): Promise<void> {
    await this.find("message-input").fill(text);
    await this.find("message-input").press("Enter");
  }

  /** The message that has exactly these words. */
  message(text: string): Locator {
    return this.page
      .locator("[data-testid=message]")
      .filter({ has: this.page.locator(`[data-testid=words]`, { hasText: exactly(text) }) });
  }

  /** Waits until a message is shown, once; gives the name of who said it. */
  async hears(text: string): Promise<string> {
    const message = this.message(text);
    await message.first().waitFor();
    assert.equal(await message.count(), 1, `"${text}" is shown more than once`);
    return (await message.getAttribute("data-user")) ?? "";
  }

  /** Points at a message and does something with it. */
  async doWith(text: string, tool: "react" | "reply" | "edit" | "delete"): Promise<void> {
    const message = this.message(text);
    await message.hover();
    await message.getByTestId(tool).click();
  }

  /** Adds a file to the message that is being written, as by the browser's dialog. */
  async choose(name: string, content: string | Buffer): Promise<void> {
    const buffer = Buffer.from(content);
    await this.find("file-input").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
  }

  /** Drops a file on the messages. */
  async drop(name: string, content: string | Buffer): Promise<void> {
    const dataTransfer = await this.page.evaluateHandle(carrying(name, content));
    for (const event of ["dragover", "drop"]) {
      await this.find("messages").dispatchEvent(event, { dataTransfer });
    }
  }

  /** Pastes a file while a message is being written. */
  async paste(name: string, content: string | Buffer): Promise<void> {
    await this.find("message-input").focus();
    const data = `{ clipboardData: ${carrying(name, content)}, bubbles: true, cancelable: true }`;
    await this.page.evaluate(`document.activeElement.dispatchEvent(new ClipboardEvent("paste", ${data}))`);
  }

  /** Waits until a file is ready to be sent. */
  async uploaded(name: string): Promise<void> {
    await this.page.locator(`[data-testid=upload][data-name="${name}"][data-progress=done]`).waitFor();
  }

  /** A file of a message. */
  attachment(name: string): Locator {
    return this.page.locator(`[data-testid=attachment][data-name="${name}"]`);
  }

  async unread(room: string, count: number): Promise<void> {
    await this.page
      .locator(`[data-testid=room][data-room="${room}"][data-unread="${count}"]`)
      .waitFor({ state: "attached" });
  }

  /** Waits until exactly these people are shown as being here. */
  async sees(...names: string[]): Promise<void> {
    const wanted = names.toSorted();
    await until(`${wanted.join(", ")} are here`, async () => {
      const shown = await this.#attributes("[data-testid=person][data-present=true]", "data-name");
      return shown.sort().join() === wanted.join();
    });
  }

  /** The numbers of the messages that are shown, in their order on the page. */
  async numbers(): Promise<number[]> {
    return (await this.#attributes("[data-testid=message]", "data-number")).map(Number);
  }

  /** All at once: one after the other, they could change meanwhile. */
  #attributes(selector: string, name: string): Promise<(string | null)[]> {
    return this.page
      .locator(selector)
      .evaluateAll(
        (elements: { getAttribute(name: string): string | null }[], name: string) =>
          elements.map((element) => element.getAttribute(name)),
        name,
      );
  }

  /** The person looks elsewhere. Chromium without a screen hides no page, so the page is told as by one that does. */
  async hide(): Promise<void> {
    await this.#visibility(true);
  }

  /** The person looks at the page again. */
  async show(): Promise<void> {
    await this.#visibility(false);
  }

  async #visibility(hidden: boolean): Promise<void> {
    await this.page.evaluate(`{
      Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
      document.dispatchEvent(new Event("visibilitychange"));
    }`);
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: artifactPath(`${name}.png`) });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** The words of a message end with nothing but the mark of an edit. */
function exactly(text: string): RegExp {
  return new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\/]/gu, "\\$&")}\\s*(\\(edited\\))?\\s*$`, "u");
}

/** What a browser hands over with a file in it, as an expression for a page. */
function carrying(name: string, content: string | Buffer): string {
  const file = JSON.stringify([name, Buffer.from(content).toString("base64")]);
  return `(() => {
    const [name, content] = ${file};
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    return data;
  })()`;
}
