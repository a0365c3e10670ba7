import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { Person } from "../chat/person.ts";
import { artifactPath } from "../harness/artifacts.ts";
import { Cluster } from "../harness/cluster.ts";
import { hitherNode } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { ChatPage, launchBrowser } from "./page.ts";

const GUESTS = 60;
const PHONE = { width: 390, height: 844 };

/** What the stage tells of the picture. */
interface Drawn {
  nodes: number;
  sessions: number;
  /** Dots that are in flight now. */
  travelling: number;
  /** Dots that have flown. */
  travelled: number;
}

/** Runs in the page, which these files know no types of. */
const REMEMBER_FLIGHTS = `{
  const { dataset } = document.querySelector("[data-testid=stage]");
  dataset.most = "0";
  new MutationObserver(() => {
    dataset.most = Math.max(dataset.most, dataset.travelling);
  }).observe(document.querySelector("[data-testid=stage]"), { attributeFilter: ["data-travelling"] });
}`;

/** A browser window with the page `/cluster` in it. */
class ClusterPage {
  readonly page: Page;
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.errors.push(error.message));
  }

  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<ClusterPage> {
    const context = await browser.newContext({ viewport: { width: 1_200, height: 800 }, ...options });
    const opened = new ClusterPage(await context.newPage());
    await opened.page.goto(`${url}/cluster`);
    await opened.sight("live");
    return opened;
  }

  get stage(): Locator {
    return this.page.getByTestId("stage");
  }

  async sight(sight: string): Promise<void> {
    await this.page.locator(`[data-testid=sight][data-sight=${sight}]`).waitFor();
  }

  /** Waits until so many nodes and at least so many sessions are drawn. */
  async draws(nodes: number, sessions: number): Promise<void> {
    await until(
      `${nodes} nodes and ${sessions} sessions drawn`,
      async () => {
        const { nodes: areas, sessions: dots } = await this.drawn();
        return areas === nodes && dots >= sessions;
      },
      { within: 15_000 },
    );
  }

  async drawn(): Promise<Drawn> {
    const read = async (name: string) => Number(await this.stage.getAttribute(`data-${name}`));
    return {
      nodes: await read("nodes"),
      sessions: await read("sessions"),
      travelling: await read("travelling"),
      travelled: await read("travelled"),
    };
  }

  /** From now on the most dots that are in flight at once are remembered; gives how many there were. */
  async watchFlights(): Promise<() => Promise<number>> {
    await this.page.evaluate(REMEMBER_FLIGHTS);
    return async () => Number(await this.stage.getAttribute("data-most"));
  }

  /** Waits for a line of the log. */
  async logs(what: string, text: string): Promise<void> {
    await this.page
      .locator(`[data-testid=log-entry][data-what=${what}]`, { hasText: text })
      .first()
      .waitFor();
  }

  /** The sum of a column of the table. */
  async sum(column: "owned" | "shards"): Promise<number> {
    const rows = await this.page.getByTestId("member").all();
    const values = await Promise.all(rows.map((row) => row.getAttribute(`data-${column}`)));
    return values.reduce((sum, value) => sum + Number(value), 0);
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: artifactPath(`${name}.png`) });
  }
}

describe("people watch a cluster", () => {
  let browser: Browser;
  let cluster: Cluster;
  const guests: Person[] = [];

  before(async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 3, flags: { publicStatus: true } });
    browser = await launchBrowser();
    for (let number = 0; number < GUESTS; number += 1) {
      const url = cluster.node(1 + (number % 3)).url;
      guests.push(await Person.guest(url, `guest ${number}`, "websocket"));
    }
  });

  after(async () => {
    for (const guest of guests) guest.socket.disconnect();
    await browser.close();
    await cluster.destroy();
  });

  test("sessions travel to a node that joins, and away from one that dies", async () => {
    const watcher = await ClusterPage.open(browser, cluster.node(1).adminUrl);
    await watcher.draws(3, GUESTS);
    assert.equal(await watcher.sum("shards"), 1024);
    const mostInFlight = await watcher.watchFlights();

    const joined = await cluster.add();
    await cluster.settled();
    await watcher.logs("joined", joined.name);
    await watcher.logs("moved", `→ ${joined.name}`);
    await watcher.draws(4, GUESTS);
    await until("dots have landed", async () => {
      const { travelling, travelled } = await watcher.drawn();
      return travelling === 0 && travelled > 0;
    });
    assert.ok((await mostInFlight()) > 0, "no dot was seen in flight");
    await watcher.screenshot("cluster-after-a-join");

    const { travelled } = await watcher.drawn();
    await cluster.node(2).kill();
    await watcher.logs("lost", "node2");
    await watcher.logs("moved", "node2 →");
    await watcher.draws(3, 40);
    assert.ok((await watcher.drawn()).travelled > travelled, "no session has left the lost node");
    await watcher.screenshot("cluster-after-a-crash");
    assert.deepEqual(watcher.errors, []);
  });

  test("who watches through a node that dies says so", async () => {
    const watcher = await ClusterPage.open(browser, cluster.node(3).url);
    await watcher.draws(cluster.running.length, 1);
    await cluster.node(3).kill();
    await watcher.sight("lost");
    assert.deepEqual(watcher.errors, []);
  });

  test("the page fits a phone, without motion too", async () => {
    const options = { viewport: PHONE, reducedMotion: "reduce" as const, colorScheme: "dark" as const };
    const watcher = await ClusterPage.open(browser, cluster.node(1).url, options);
    await watcher.draws(cluster.running.length, 1);
    const width = await watcher.page.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(width <= PHONE.width, `the page is ${width} pixels wide`);
    await watcher.screenshot("cluster-on-a-phone");
    assert.deepEqual(watcher.errors, []);
  });

  test("the chat leads there and back", async () => {
    const chat = await ChatPage.signedUp(browser, cluster.node(1).url, "Ada");
    await chat.find("connection-state").click();
    const [page] = await Promise.all([
      chat.page.context().waitForEvent("page"),
      chat.find("to-cluster").click(),
    ]);
    await page.locator("[data-testid=sight][data-sight=live]").waitFor();
    await page.getByTestId("to-chat").click();
    await page.waitForURL((url) => url.pathname === "/");
    await chat.close();
  });
});
