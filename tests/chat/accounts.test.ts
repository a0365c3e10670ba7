import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { client, closeClients, connect } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { send } from "../harness/http.ts";
import { hitherNode } from "../harness/programs.ts";
import { DEFAULT_DEADLINE_MS, until, within } from "../harness/wait.ts";
import { Browser, freshName, type Message, PASSWORD, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

/** After the answer; within a second, says the chat, and the rest is for a busy machine. */
const SIGNED_OUT_WITHIN_MS = 3_000;

onEveryScene("accounts", (scene) => {
  test("who signs up is signed in, in every tab and after a refresh, until he signs out", async () => {
    const browser = new Browser(scene.url);
    assert.deepEqual((await browser.get("/api/session")).body, { ok: true, person: null, guests: true });
    const name = freshName("Ada");
    const { http, answer } = await browser.post("/api/session/sign-up", { name, password: PASSWORD });
    assert.deepEqual(answer, { ok: true, person: { name, kind: "member" } });
    const [cookie = ""] = http.headers["set-cookie"] ?? [];
    assert.match(cookie, /^hither_session=[\w-]{43}; HttpOnly; SameSite=Lax; Path=\/; Max-Age=\d+$/);
    assert.equal(http.headers["cache-control"], "no-store");
    for (let tab = 0; tab < 2; tab += 1) {
      const { person } = await (await Person.open(scene.url, name, browser)).welcome;
      assert.deepEqual(person, { name, kind: "member" });
    }
    assert.deepEqual((await browser.get("/api/session")).body["person"], { name, kind: "member" });
    const old = new Browser(scene.url);
    old.cookie = browser.cookie;
    await browser.must("/api/session/sign-out", {});
    assert.equal((await old.get("/api/session")).body["person"], null);
    await assert.rejects(Person.open(scene.url, name, old), /Sign in first/);
  });

  test("a cookie is marked as secure when the request came by TLS", async () => {
    const { http } = await new Browser(scene.url).post(
      "/api/session/guest",
      { name: freshName("guest") },
      { "x-forwarded-proto": "https" },
    );
    assert.match(String(http.headers["set-cookie"]), /; Secure;/);
  });

  test("a sign-in gives a new cookie, and the one before is of no use any more", async () => {
    const name = freshName("Ada");
    const browser = new Browser(scene.url);
    await browser.must("/api/session/sign-up", { name, password: PASSWORD });
    const before = new Browser(scene.url);
    before.cookie = browser.cookie;
    await browser.must("/api/session/sign-in", { name: name.toUpperCase(), password: PASSWORD });
    assert.notEqual(browser.cookie, before.cookie);
    assert.equal((await before.get("/api/session")).body["person"], null);
  });

  test("a wrong password and a wrong name are answered alike", async () => {
    const name = freshName("Ada");
    await new Browser(scene.url).must("/api/session/sign-up", { name, password: PASSWORD });
    const answers = [];
    for (const wrong of [
      { name, password: "something else" },
      { name: freshName("nobody"), password: PASSWORD },
      { name: "\u0000", password: PASSWORD },
    ]) {
      const { http, answer } = await new Browser(scene.url).post("/api/session/sign-in", wrong);
      assert.equal(http.status, 401);
      assert.equal(http.headers["set-cookie"], undefined);
      answers.push(answer.error);
    }
    assert.equal(answers[0]?.code, "wrong_credentials");
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
  });

  test("after ten wrong passwords an account takes no more for a while, on any node, right or wrong", async () => {
    for (const name of [freshName("Ada"), freshName("nobody")]) {
      if (name.startsWith("Ada"))
        await new Browser(scene.url).must("/api/session/sign-up", { name, password: PASSWORD });
      const codes = [];
      for (let attempt = 0; attempt < 11; attempt += 1) {
        const password = attempt === 10 ? PASSWORD : "a wrong password";
        const { http, answer } = await new Browser(scene.url).post("/api/session/sign-in", {
          name,
          password,
        });
        codes.push(answer.error?.code);
        if (attempt === 10) assert.ok(Number(http.headers["retry-after"]) > 0);
      }
      assert.deepEqual(codes, [...Array<string>(10).fill("wrong_credentials"), "limited"]);
    }
  });

  test("a name belongs to one person, whatever its case and look", async () => {
    const name = freshName("Robot");
    await new Browser(scene.url).must("/api/session/sign-up", { name, password: PASSWORD });
    for (const [path, like] of [
      ["sign-up", name],
      ["sign-up", name.toUpperCase()],
      ["guest", name.replace("R", "\uff32")],
      ["guest", name.replace("o", "\u043e")],
    ] as const) {
      const { http, answer } = await new Browser(scene.url).post(`/api/session/${path}`, {
        name: like,
        password: PASSWORD,
      });
      assert.equal(http.status, 409, `${path} ${like}`);
      assert.equal(answer.error?.code, "conflict");
    }
  });

  test("signing out ends the sockets of that login session, on every node, and no other's", async () => {
    const name = freshName("Ada");
    const tabs = [await Person.member(scene.url, name, "websocket")];
    const [first] = tabs;
    assert.ok(first);
    for (let tab = 0; tab < 3; tab += 1) tabs.push(await Person.open(scene.url, name, first.browser));
    const other = await Person.signIn(scene.url, name);
    const reasons = await signedOut(tabs, () => first.browser.must("/api/session/sign-out", {}));
    for (const reason of reasons) assert.equal(reason, "signed_out");
    await other.must("room.list", {});

    await signedOut([other, await Person.signIn(scene.url, name)], () =>
      other.browser.must("/api/session/sign-out-everywhere", {}),
    );
  });

  test("a new password ends the other login sessions, and is the one that counts", async () => {
    const name = freshName("Ada");
    const [here, there] = [await Person.member(scene.url, name), await Person.signIn(scene.url, name)];
    const wrong = await here.browser.post("/api/account/password", {
      current: "wrong wrong",
      new: "another one",
    });
    assert.equal(wrong.answer.error?.code, "wrong_credentials");
    const reasons = await signedOut([there], () =>
      here.browser.must("/api/account/password", { current: PASSWORD, new: "another one" }),
    );
    assert.deepEqual(reasons, ["password_changed"]);
    await here.must("room.list", {});
    const { answer } = await new Browser(scene.url).post("/api/session/sign-in", {
      name,
      password: PASSWORD,
    });
    assert.equal(answer.error?.code, "wrong_credentials");
    await new Browser(scene.url).must("/api/session/sign-in", { name, password: "another one" });
  });

  test("an account that is deleted is gone, and what it said stays", async () => {
    const [ada, bob] = [await Person.member(scene.url), await Person.member(scene.url)];
    const { room } = await bob.create();
    await ada.join(room);
    await ada.say(room, "I was here");
    const reasons = await signedOut([ada], () =>
      ada.browser.must("/api/account/delete", { password: PASSWORD }),
    );
    assert.deepEqual(reasons, ["account_deleted"]);
    const { answer } = await new Browser(scene.url).post("/api/session/sign-in", {
      name: ada.name,
      password: PASSWORD,
    });
    assert.equal(answer.error?.code, "wrong_credentials");
    const [message] = await bob.history(room);
    assert.deepEqual([message?.author.name, message?.text], [ada.name, "I was here"]);
  });

  test("a guest who takes another name stays who he is", async () => {
    const guest = await Person.guest(scene.url);
    const other = await Person.guest(scene.url);
    const { room } = await guest.create();
    await other.join(room);
    const name = freshName("renamed");
    const tab = await Person.open(scene.url, guest.name, guest.browser);
    await tab.welcome;
    const { cookie } = guest.browser;
    const told = tab.next("person");
    await guest.browser.must("/api/session/guest", { name });
    assert.deepEqual(await told, { name, kind: "guest" });
    assert.equal(guest.browser.cookie, cookie);
    const heard = other.next<Message>("message", ({ text }) => text === "it is me");
    await tab.say(room, "it is me");
    assert.equal((await heard).author.name, name);
    await until("others see the new name", async () => {
      assert.deepEqual(await other.present(room), [other.name, name].sort());
      return true;
    });
  });

  test("what another site's page asks for, or is no JSON, is refused", async () => {
    const browser = new Browser(scene.url);
    await browser.must("/api/session/guest", { name: freshName("guest") });
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      const { http, answer } = await browser.post("/api/session/sign-out", {}, headers);
      assert.equal(http.status, 403, JSON.stringify(headers));
      assert.equal(answer.error?.code, "forbidden");
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const { http } = await browser.post("/api/session/sign-out", "{}", { "content-type": type });
      assert.equal(http.status, 400);
    }
    const own = await browser.post("/api/session/guest", "{", { origin: new URL(scene.url).origin });
    assert.equal(own.answer.error?.code, "bad_request");
    assert.notEqual((await browser.get("/api/session")).body["person"], null, "still signed in");
  });

  test("bad names, passwords and bodies are told what would be right", async () => {
    const browser = new Browser(scene.url);
    const refused = async (path: string, body: unknown) => {
      const { http, answer } = await browser.post(path, body);
      assert.ok(http.status >= 400 && http.status < 500, `${path} ${JSON.stringify(body)}: ${http.status}`);
      assert.ok((answer.error?.message.length ?? 0) > 10);
      return answer.error?.code;
    };
    for (const name of ["", "   ", "x".repeat(33), "Ada\nBob", "A\u202eda", "\u200b", "\u0000"]) {
      assert.equal(await refused("/api/session/sign-up", { name, password: PASSWORD }), "invalid_name");
      assert.equal(await refused("/api/session/guest", { name }), "invalid_name");
    }
    for (const password of ["", "1234567", "x".repeat(129)]) {
      const name = freshName("Ada");
      assert.equal(await refused("/api/session/sign-up", { name, password }), "weak_password");
    }
    for (const body of [null, [], 7, "x", {}, { name: 7, password: PASSWORD }, { name: "Ada", password: {} }])
      assert.equal(await refused("/api/session/sign-up", body), "bad_request");
    assert.equal(await refused("/api/session/guest", { name: "x".repeat(70_000) }), "too_large");
    assert.equal(await refused("/api/account/password", { current: "x", new: PASSWORD }), "not_signed_in");
  });

  test("sockets without a login session are refused, whatever they claim", async () => {
    for (const cookie of [
      "",
      "hither_session=",
      `hither_session=${"A".repeat(43)}`,
      "hither_session=../../x",
    ]) {
      const socket = client(`${scene.url}/chat`, "polling", {
        auth: { name: "Ada" },
        ...(cookie ? { extraHeaders: { cookie } } : {}),
      });
      await assert.rejects(connect(socket), (error: Error & { data?: { code: string } }) => {
        assert.equal(error.data?.code, "not_signed_in");
        return true;
      });
    }
  });
});

describe("login sessions", () => {
  let cluster: Cluster;

  afterEach(async () => {
    closeClients();
    await cluster.destroy();
  });

  test("outlive a restart of all nodes", async () => {
    cluster = await Cluster.start({ program: hitherNode(), size: 2 });
    const [one, two] = cluster.nodes;
    assert.ok(one && two);
    const ada = await Person.member(one.url, "Ada");
    const { room } = await ada.create("tea");
    await ada.say(room, "before");
    closeClients();
    for (const node of cluster.nodes) await node.kill();
    for (const node of cluster.nodes) node.start();
    for (const node of cluster.nodes) await node.sees(["node1", "node2"]);
    const again = await Person.open(two.url, "Ada", ada.browser);
    assert.deepEqual((await again.welcome).rooms.map(({ name }) => name).sort(), ["lobby", "tea"]);
    assert.deepEqual(
      (await again.history(room)).map(({ text }) => text),
      ["before"],
    );
  });

  test("of guests are not to be had where guests are not let in", async () => {
    const program = hitherNode();
    const leadingArgs = program.leadingArgs.filter((flag) => flag !== "--guests");
    cluster = await Cluster.start({ program: { ...program, leadingArgs }, size: 1 });
    const [node] = cluster.nodes;
    assert.ok(node);
    const { http, answer } = await new Browser(node.url).post("/api/session/guest", { name: "Ada" });
    assert.equal(http.status, 403);
    assert.equal(answer.error?.code, "forbidden");
    assert.match((await send(`${node.url}/api/session`)).text, /"guests":false/);
  });

  test("are limited in number for one address, over all nodes", async () => {
    const program = hitherNode();
    const leadingArgs = program.leadingArgs.map((flag) => (flag === "1000000" ? "5" : flag));
    cluster = await Cluster.start({ program: { ...program, leadingArgs }, size: 2 });
    const codes = [];
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const { url } = cluster.nodes[attempt % 2] ?? { url: "" };
      const { answer } = await new Browser(url).post("/api/session/guest", { name: `guest ${attempt}` });
      codes.push(answer.error?.code);
    }
    assert.deepEqual(codes, [...Array<undefined>(5).fill(undefined), "limited"]);
  });

  test("are counted by the address that a trusted proxy tells, and nobody else's", async () => {
    const program = hitherNode();
    const leadingArgs = program.leadingArgs.map((flag) => (flag === "1000000" ? "3" : flag));
    const come = async (trustProxy: string, addresses: readonly string[]) => {
      const started = await Cluster.start({
        program: { ...program, leadingArgs },
        size: 1,
        flags: { trustProxy },
        prefix: trustProxy,
      });
      cluster = started;
      const codes = [];
      for (const address of addresses) {
        const browser = new Browser(started.node(1).url);
        const { answer } = await browser.post(
          "/api/session/guest",
          { name: freshName("guest") },
          { "x-forwarded-for": address },
        );
        codes.push(answer.error?.code);
      }
      await started.destroy();
      return codes;
    };
    const [ana, bo] = ["192.0.2.1", "192.0.2.2"];
    assert.deepEqual(await come("127.0.0.1", [ana, ana, ana, ana, bo, `${bo}, ${ana}`]), [
      undefined,
      undefined,
      undefined,
      "limited",
      undefined,
      "limited",
    ]);
    assert.deepEqual(await come("203.0.113.7", ["192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]), [
      undefined,
      undefined,
      undefined,
      "limited",
    ]);
  });
});

/** Does what signs these devices out, and gives why each was told to be; soon after the answer, which may take a while, all are. */
async function signedOut(devices: readonly Person[], act: () => Promise<unknown>): Promise<string[]> {
  const ended = devices.map((device) => endOf(device));
  const [reasons, late] = await Promise.all([
    Promise.all(ended),
    act().then(async () => {
      const answered = Date.now();
      await Promise.all(ended);
      return Date.now() - answered;
    }),
  ]);
  assert.ok(late < SIGNED_OUT_WITHIN_MS, `signed out ${late} ms after the answer`);
  return reasons;
}

/** Why a device was signed out; it is disconnected then. */
async function endOf(person: Person): Promise<string> {
  const gone = new Promise((resolve) => person.socket.once("disconnect", resolve));
  const { reason } = await person.next<{ reason: string }>("signed out");
  assert.equal(await within(DEFAULT_DEADLINE_MS, "disconnect", gone), "io server disconnect");
  return reason;
}
