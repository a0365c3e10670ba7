import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { Scatter } from "../harness/scatter.ts";
import { until } from "../harness/wait.ts";
import { isAccessible } from "./accessibility.ts";
import { ChatPage, launchBrowser } from "./page.ts";

/** Bytes a second, at which a large file takes its time. */
const SLOW = 100_000;

describe("files in messages, in browsers on three nodes", () => {
  let browser: Browser;
  let cluster: Cluster;
  let scatter: Scatter;
  let reachable = true;
  const open: ChatPage[] = [];

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3 });
    scatter = await Scatter.start(() => (reachable ? cluster.urls : []));
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

  test("a picture and a file are chosen, dropped and pasted, seen by others, and gone with their message", async () => {
    const [ada, bob] = [await person("Ada F"), await person("Bob F")];
    await ada.createRoom("pictures");
    await bob.joinRoom("pictures");

    await ada.choose("holiday.png", png(400, 300));
    await ada.uploaded("holiday.png");
    await isAccessible(ada.page, "a file that is to be sent");
    await ada.find("message-input").press("Enter");
    const picture = bob.attachment("holiday.png").locator("img");
    await until("the picture is shown", () =>
      picture.evaluate((image: { naturalWidth: number }) => image.naturalWidth > 0),
    );
    assert.equal(await picture.getAttribute("alt"), "holiday.png");
    const box = await bob.attachment("holiday.png").getByRole("link").boundingBox();
    assert.ok(box && Math.abs(box.width / box.height - 4 / 3) < 0.02, JSON.stringify(box));

    await ada.drop("notes.txt", "remember the milk");
    await ada.paste("pasted.png", png(40, 30));
    await ada.uploaded("notes.txt");
    await ada.uploaded("pasted.png");
    await ada.say("with words");
    await bob.hears("with words");
    const notes = bob.attachment("notes.txt").getByRole("link");
    assert.equal(await notes.getAttribute("download"), "notes.txt");
    const address = new URL((await notes.getAttribute("href")) ?? "", scatter.url).href;
    assert.equal(await (await bob.page.request.get(address)).text(), "remember the milk");
    await bob.screenshot("files");
    await isAccessible(bob.page, "messages with files");

    await ada.choose(
      "drawing.png",
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    );
    await ada.uploaded("drawing.png");
    await ada.find("message-input").press("Enter");
    await bob.attachment("drawing.png").getByRole("link").waitFor();
    assert.equal(
      await bob.attachment("drawing.png").locator("img").count(),
      0,
      "an SVG is shown as a picture",
    );

    await ada.doWith("with words", "delete");
    await ada.find("dialog-submit").click();
    await bob.attachment("notes.txt").waitFor({ state: "detached" });
    assert.equal((await bob.page.request.get(address)).status(), 404);
  });

  test("what would be refused is said before; an upload is cancelled, fails, and is tried again", async () => {
    const ada = await person("Ada U");
    await ada.createRoom("large files");
    await ada.choose("film.mkv", Buffer.alloc(11 * 1_048_576));
    await ada.page.locator("[data-testid=toast]", { hasText: "too large, at most 10 MB" }).waitFor();
    assert.equal(await ada.find("upload").count(), 0);

    const network = await ada.page.context().newCDPSession(ada.page);
    const throttle = async (uploadThroughput: number) => {
      const conditions = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput };
      await network.send("Network.emulateNetworkConditions", conditions);
    };
    await network.send("Network.enable");
    await throttle(SLOW);
    await ada.choose("slow.bin", Buffer.alloc(2_000_000, 1));
    const progress = ada.find("upload").locator("progress");
    await until("something of it has been sent", () =>
      progress.evaluate((bar: { value: number }) => bar.value > 0),
    );
    assert.equal(await ada.find("send-button").isDisabled(), true);
    await isAccessible(ada.page, "a file on its way");
    await ada.find("remove-upload").click();
    await ada.find("upload").waitFor({ state: "detached" });

    await throttle(-1);
    // The proxy reaches no node any more, while the WebSocket stays, so that the page does not wait for a connection.
    reachable = false;
    await ada.choose("unlucky.bin", Buffer.alloc(200_000, 1));
    await ada.page.locator("[data-testid=upload][data-progress=failed]").waitFor();
    await ada.screenshot("upload-failed");
    await isAccessible(ada.page, "a file that did not arrive");
    reachable = true;
    await ada.find("retry-upload").click();
    await ada.uploaded("unlucky.bin");
    await ada.find("send-button").click();
    await ada.attachment("unlucky.bin").waitFor();
    assert.equal(await ada.find("upload").count(), 0);
  });
});

/** A picture of one colour. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // Eight bits a sample, red, green and blue.
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, 0x7a)]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
