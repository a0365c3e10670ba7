import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { transports, type Transport } from "../harness/client.ts";
import { until } from "../harness/wait.ts";
import { type Message, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

onEveryScene("messages", (scene) => {
  /** Some people in a room of their own. */
  const table = async (size: number, transport?: Transport) => {
    const people = [await Person.guest(scene.url, undefined, transport)];
    const [host] = people;
    assert.ok(host);
    const { room } = await host.create();
    for (let number = 1; number < size; number += 1) {
      const guest = await Person.guest(scene.url, undefined, transport);
      await guest.join(room);
      people.push(guest);
    }
    return { room, host, people, other: people[1] ?? host };
  };

  for (const transport of Object.keys(transports) as Transport[]) {
    test(`are numbered without gaps, stored, and heard by all, over ${transport}`, async () => {
      const { room, host, people } = await table(3, transport);
      const heard = people.map((person) => person.gather<Message>("message"));
      const began = Date.now();
      const said = await Promise.all(
        people.flatMap((person) =>
          [1, 2, 3, 4].map((number) => person.say(room, `${person.name}: ${number}`)),
        ),
      );
      const numbers = said.map(({ number }) => number).sort((one, other) => one - other);
      assert.deepEqual(
        numbers,
        Array.from({ length: 12 }, (_, index) => index + 1),
      );
      const stored = await host.history(room);
      assert.deepEqual(
        stored.map(({ number }) => number),
        numbers,
      );
      for (const messages of heard) {
        await until("all is heard", () => messages.length === stored.length);
        assert.deepEqual(
          messages.toSorted((one, other) => one.number - other.number),
          stored,
        );
      }
      for (const { number, time } of said) {
        assert.equal(stored[number - 1]?.time, time);
        assert.ok(Math.abs(time - began) < 60_000);
      }
    });
  }

  test("with half an emoji, as some editors leave it, are taken, and say what is left of it", async () => {
    const { room, host, people } = await table(2);
    const heard = people.map((person) => person.gather<Message>("message"));
    const said = await host.say(room, "half an emoji: \ud83d!");
    const [stored] = await host.history(room);
    assert.deepEqual([stored?.number, stored?.text], [said.number, "half an emoji: \ufffd!"]);
    for (const messages of heard) {
      await until("it is heard", () => messages.some(({ text }) => text === stored?.text));
    }
  });

  test("that are sent again are stored once and answered alike, by whichever node and socket", async () => {
    const { room, host } = await table(1);
    const message = { room, id: randomUUID(), text: "once" };
    const first = await host.must("message.send", message);
    await host.say(room, "in between");
    const tab = await Person.open(scene.url, host.name, host.browser, "polling");
    for (const person of [host, tab, host])
      assert.deepEqual(await person.must("message.send", message), first);
    assert.deepEqual(
      (await host.history(room)).map(({ text }) => text),
      ["once", "in between"],
    );
  });

  test("can be edited and deleted by who said them, and the others see it", async () => {
    const { room, host, other } = await table(2);
    const { number } = await host.say(room, "speling");
    const edited = other.next<Message>("message.changed");
    const { message } = await host.must("message.edit", { room, number, text: "spelling" });
    assert.equal(message?.text, "spelling");
    assert.ok((message.edited ?? 0) > 0);
    assert.deepEqual(await edited, message);
    for (const [event, args] of [
      ["message.edit", { room, number, text: "mine" }],
      ["message.delete", { room, number }],
    ] as const) {
      assert.equal((await other.request(event, args)).error?.code, "forbidden", event);
    }
    const deleted = other.next<Message>("message.changed");
    await host.must("message.delete", { room, number });
    assert.deepEqual([(await deleted).text, (await deleted).deleted], ["", true]);
    assert.deepEqual(
      (await other.history(room)).map(({ text }) => text),
      [""],
    );
  });

  test("quote what they answer, and are reacted to", async () => {
    const { room, host, other } = await table(2);
    const { number } = await host.say(room, "Tea?");
    const told = host.next<Message>("message", ({ text }) => text === "Yes!");
    await other.say(room, "Yes!", { replyTo: number });
    assert.deepEqual((await told).replyTo, { number, author: host.name, text: "Tea?" });
    const reacted = host.next<Message>("message.changed");
    await other.must("message.react", { room, number, emoji: "🍵", on: true });
    assert.deepEqual((await reacted).reactions, [{ emoji: "🍵", names: [other.name] }]);
    const { message } = await other.must("message.react", { room, number, emoji: "🍵", on: false });
    assert.equal(message?.reactions, undefined);
    await host.must("message.send", { room, id: randomUUID(), text: "waves", kind: "action" });
    assert.equal((await host.history(room)).at(-1)?.kind, "action");
  });

  test("are read back in pages in both directions, by number and by date", async () => {
    const { room, host } = await table(1);
    const times = [];
    for (let number = 1; number <= 130; number += 1) times.push((await host.say(room, `${number}`)).time);
    const page = async (asked: object) => {
      const { messages = [], last, more } = await host.must("message.history", { room, ...asked });
      assert.equal(last, 130);
      return { numbers: messages.map(({ number }) => number), more };
    };
    const span = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, index) => first + index);
    assert.deepEqual(await page({}), { numbers: span(81, 130), more: { before: true, after: false } });
    assert.deepEqual(await page({ before: 81 }), {
      numbers: span(31, 80),
      more: { before: true, after: true },
    });
    assert.deepEqual(await page({ before: 31 }), {
      numbers: span(1, 30),
      more: { before: false, after: true },
    });
    assert.deepEqual(await page({ after: 100, limit: 10 }), {
      numbers: span(101, 110),
      more: { before: true, after: true },
    });
    const { numbers } = await page({ around: 60, limit: 11 });
    assert.ok(numbers.length === 11 && numbers.includes(60));
    const [from] = (await page({ date: times[64] })).numbers;
    assert.ok(from !== undefined && from <= 65 && times[from - 1] === times[64]);
    assert.equal(
      (await host.request("message.history", { room, before: 1, after: 1 })).error?.code,
      "bad_request",
    );
  });

  test("that changed while somebody was away are told when asked for", async () => {
    const { room, host, other } = await table(2);
    for (const text of ["one", "two", "three"]) await host.say(room, text);
    const { changed: before } = await other.must("message.history", { room });
    assert.equal(before, 0);
    other.socket.disconnect();
    await host.must("message.edit", { room, number: 1, text: "ONE" });
    await host.must("message.react", { room, number: 3, emoji: "🍵", on: true });
    await host.must("message.delete", { room, number: 1 });
    await host.say(room, "four");
    const tab = await Person.open(scene.url, other.name, other.browser);
    const { messages = [], changed, more } = await tab.must("message.changes", { room, since: before });
    assert.deepEqual(
      messages.map(({ number, deleted, changed }) => ({ number, deleted, changed })),
      [
        { number: 3, deleted: undefined, changed: 2 },
        { number: 1, deleted: true, changed: 3 },
      ],
    );
    assert.deepEqual([changed, more], [3, false]);
    const told = tab.next<Message>("message.changed", ({ number }) => number === 2);
    await host.must("message.edit", { room, number: 2, text: "TWO" });
    assert.equal((await told).changed, 4);
    const rest = await tab.must("message.changes", { room, since: changed });
    assert.deepEqual(
      rest.messages?.map(({ number }) => number),
      [2],
    );
    assert.equal((await tab.must("message.history", { room })).changed, 4);
    const stranger = await Person.guest(scene.url);
    const { error } = await stranger.request("message.changes", { room, since: 0 });
    assert.equal(error?.code, "forbidden");
  });

  test("are found by their words, by who is in the room", async () => {
    const { room, host, other } = await table(2);
    await host.say(room, "The kettle is on");
    await other.say(room, "Which kettle?");
    await other.say(room, "Never mind");
    const { messages = [], more } = await host.must("message.search", { room, query: "kettle" });
    assert.deepEqual(
      messages.map(({ number }) => number),
      [2, 1],
    );
    assert.equal(more, false);
    const stranger = await Person.guest(scene.url);
    assert.equal(
      (await stranger.request("message.search", { room, query: "kettle" })).error?.code,
      "forbidden",
    );
    assert.equal((await stranger.request("message.history", { room })).error?.code, "forbidden");
  });

  test("that are being typed are told to the others only", async () => {
    const { room, host, people } = await table(3);
    const own = host.gather("typing");
    const told = people.slice(1).map((person) => person.next<{ room: string; name: string }>("typing"));
    await host.must("typing", { room });
    for (const typing of await Promise.all(told)) assert.deepEqual(typing, { room, name: host.name });
    assert.deepEqual(own, []);
  });

  test("that flood in are refused with when to try again, and nobody else's are", async () => {
    const { room, host, other } = await table(2);
    const codes = [];
    let wait: number | undefined;
    for (let round = 0; round < 8; round += 1) {
      const flood = Array.from({ length: 10 }, () => host.request("message.search", { room, query: "x" }));
      for (const { error } of await Promise.all(flood)) {
        codes.push(error?.code);
        wait ??= error?.retryAfterMs;
      }
      await other.must("message.search", { room, query: "x" }).catch(() => undefined);
      await other.say(room, `still here ${round}`);
    }
    assert.ok(codes.includes("limited") && codes.includes(undefined));
    assert.ok(wait !== undefined && wait > 0 && wait <= 1_000);
  });

  test("are searched as often as one may, whichever nodes one's devices are at", async () => {
    const { room, host } = await table(1);
    const tabs = [host];
    for (const { url } of [...scene.cluster.nodes, ...scene.cluster.nodes])
      tabs.push(await Person.open(url, host.name, host.browser));
    const began = Date.now();
    const answers = await Promise.all(
      tabs.flatMap((tab) =>
        Array.from({ length: 11 }, () => tab.request("message.search", { room, query: "x" })),
      ),
    );
    // 10 at once, and one more each second.
    const most = 10 + Math.ceil((Date.now() - began) / 1_000) + 1;
    const found = answers.filter(({ ok }) => ok).length;
    assert.ok(found >= 10 && found <= most, `${found} of ${answers.length}, at most ${most}`);
    for (const { ok, error } of answers) assert.ok(ok || error?.code === "limited");
  });
});
