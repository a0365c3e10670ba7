import assert from "node:assert/strict";
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from "playwright-core";
import { artifactPath } from "../harness/artifacts.ts";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Without these, Chromium looks for its maker's servers, which a test machine need not reach. */
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
  /** Scripts that failed and resources that did not load. */
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

  /** A window of its own, with nothing in common with others: another person. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<ChatPage> {
    const context = await browser.newContext({ viewport: { width: 1_200, height: 800 }, ...options });
    const chat = new ChatPage(await context.newPage());
    await chat.page.goto(url);
    return chat;
  }

  static async signedIn(
    browser: Browser,
    url: string,
    name: string,
    options: BrowserContextOptions = {},
  ): Promise<ChatPage> {
    const chat = await ChatPage.open(browser, url, options);
    await chat.signIn(name);
    return chat;
  }

  find(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async signIn(name: string): Promise<void> {
    await this.find("sign-in-name").fill(name);
    await this.find("sign-in-button").click();
    await this.online();
  }

  /** Waits until the badge says that we are connected, and where the session is. */
  async online(transport?: "polling" | "websocket"): Promise<Connection> {
    const wanted = transport === undefined ? "" : `[data-transport=${transport}]`;
    const badge = this.page.locator(
      `[data-testid=connection-state][data-state=online]${wanted}:not([data-ingress=""]):not([data-owner=""])`,
    );
    await badge.waitFor();
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

  async join(room: string): Promise<void> {
    await this.find("room-join-input").fill(room);
    await this.find("room-join-button").click();
    await this.inRoom(room);
  }

  async inRoom(room: string): Promise<void> {
    await this.page.locator(`[data-testid=room][data-room="${room}"][data-membership=joined]`).waitFor({
      // On a phone the list of rooms is in a drawer.
      state: "attached",
    });
  }

  async say(text: string): Promise<void> {
    await this.find("message-input").fill(text);
    await this.find("message-input").press("Enter");
  }

  /** Waits until a message with exactly this text is shown; gives the name of who said it. */
  async hears(text: string, kind: "text" | "action" = "text"): Promise<string> {
    const message = this.page.locator(`[data-testid=message][data-kind=${kind}]`, { hasText: text }).last();
    await message.waitFor();
    return (await message.getAttribute("data-user")) ?? "";
  }

  /** Waits until the list of members shows exactly these names. */
  async sees(...names: string[]): Promise<void> {
    await this.page.locator(`[data-testid=member-list][data-count="${names.length}"]`).waitFor();
    const members = await this.find("member").all();
    const shown = await Promise.all(members.map((member) => member.getAttribute("data-user")));
    assert.deepEqual(shown.sort(), names.sort());
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: artifactPath(`${name}.png`) });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
