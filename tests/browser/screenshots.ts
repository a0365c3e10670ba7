/*
 * Takes the screenshots of the README anew:
 *
 *     npx tsx browser/screenshots.ts [FOLDER]
 *
 * Three nodes, the people of `scripts/cluster.sh demo`, and one who signs up and looks on. Each picture is written to `docs/`
 * unless another folder is given.
 */
import path from "node:path";
import type { BrowserContextOptions } from "playwright-core";
import { repositoryRoot } from "../harness/artifacts.ts";
import { Child } from "../harness/child.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { ChatPage, launchBrowser } from "./page.ts";

const DESK = { viewport: { width: 1_180, height: 720 } };
const PHONE = {
  viewport: { width: 390, height: 800 },
  deviceScaleFactor: 1.5,
  hasTouch: true,
  isMobile: true,
};
const NAME = "Ada";
/** The people of the demo take their time. */
const PATIENCE_MS = 90_000;

const folder = path.resolve(process.argv[2] ?? path.join(repositoryRoot, "docs"));
const cluster = await Cluster.start({
  program: hitherNode(undefined, ["--public-status"]),
  size: 3,
  flags: { placement: "spread" },
});
const [front = ""] = cluster.urls;
const browser = await launchBrowser();
const demo = new Child("demo", {
  program: process.execPath,
  args: [path.join(repositoryRoot, "scripts", "cluster", "demo.mjs"), front],
});

const ada = await ChatPage.signedUp(browser, front, NAME, DESK);
for (const room of ["coffee", "frontend", "rollout"]) await found(room);
await said(ada, "is already on the way to the kitchen");

const picture = await clusterPage();
await ada.choose("cluster.png", picture);
await ada.uploaded("cluster.png");
await ada.find("message-input").fill("This is how it looked then. The dots are sessions. :eyes:");
await ada.find("message-input").press("Enter");
await ada.attachment("cluster.png").locator("img").waitFor();
await said(ada, "that was all");
await take(ada, "chat");

await ada.find("show-search").click();
await ada.find("search-input").fill("sessions");
await ada.find("search-input").press("Enter");
await ada.find("hit").last().click();
await ada.page.locator("[data-testid=message]:focus").waitFor();
await take(ada, "search");

const dark = await another({ ...DESK, colorScheme: "dark" });
await dark.openRoom("rollout");
await dark.attachment("cluster.png").locator("img").scrollIntoViewIfNeeded();
await take(dark, "dark");
await dark.close();

await ada.find("find-rooms").click();
await ada.page.locator("[data-testid=found-room]").first().waitFor();
await take(ada, "rooms");

const phone = await another(PHONE);
await phone.find("show-rooms").click();
await phone.openRoom("frontend");
await said(phone, "I tried it in the tunnel");
await take(phone, "phone");

await browser.close();
await demo.kill();
await cluster.destroy();
process.exit();

/** Joins a room of the demo as soon as it is there. */
async function found(room: string): Promise<void> {
  await ada.find("find-rooms").click();
  const there = ada.page.locator(`[data-testid=found-room][data-room="${room}"]`);
  await until(`there is a room ${room}`, async () => {
    await ada.find("browse-query").fill("");
    await ada.find("browse-query").fill(room);
    return there.isVisible();
  });
  await there.click();
  await ada.inRoom(room);
}

/** Waits until the demo comes to this line, in the room that is shown. */
async function said(chat: ChatPage, words: string): Promise<void> {
  await chat.page
    .locator("[data-testid=message]", { hasText: words })
    .last()
    .waitFor({ timeout: PATIENCE_MS });
}

/** Another device of the same person. */
async function another(options: BrowserContextOptions): Promise<ChatPage> {
  const chat = await ChatPage.open(browser, front, options);
  await chat.signIn(NAME);
  return chat;
}

async function clusterPage(): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
  await page.goto(`${front}/cluster`);
  await page.waitForLoadState("load");
  // Its dots fly in.
  await page.waitForTimeout(2_000);
  const shot = await page.screenshot();
  await page.close();
  return shot;
}

async function take(chat: ChatPage, name: string): Promise<void> {
  await chat.page.screenshot({ path: path.join(folder, `${name}.png`), animations: "disabled" });
}
