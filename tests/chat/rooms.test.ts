import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../harness/wait.ts";
import { freshName, type Membership, type Message, Person, PASSWORD } from "./person.ts";
import { onEveryScene } from "./scene.ts";

interface MembersChanged {
  room: string;
  changed?: { name: string; kind: string; role: string | null }[];
}

interface Left {
  room: string;
  reason: string;
  by?: string;
}

onEveryScene("rooms", (scene) => {
  const names = (rooms: Membership[]) => rooms.map(({ name }) => name);

  test("somebody new lands in the lobby", async () => {
    const { rooms } = await (await Person.guest(scene.url)).welcome;
    assert.deepEqual(names(rooms), ["lobby"]);
    assert.deepEqual([rooms[0]?.kind, rooms[0]?.role], ["public", "member"]);
  });

  test("public rooms are found, joined by name or id, and left", async () => {
    const [ada, bob] = [await Person.guest(scene.url), await Person.guest(scene.url)];
    const room = await ada.create();
    assert.deepEqual([room.role, room.kind, room.last], ["owner", "public", 0]);
    const { rooms = [] } = await bob.must("room.list", { query: room.name.toUpperCase() });
    assert.deepEqual(
      rooms.map(({ name, members, joined }) => ({ name, members, joined })),
      [{ name: room.name, members: 1, joined: false }],
    );
    // News of the lobby, to which everybody comes first, may come meanwhile.
    const told = ada.next<MembersChanged>("members.changed", (changed) => changed.room === room.room);
    await bob.must("room.join", { name: room.name });
    assert.deepEqual((await told).changed, [{ name: bob.name, kind: "guest", role: "member" }]);
    await bob.must("room.join", { room: room.room });
    const { members = [] } = await bob.must("room.members", { room: room.room });
    assert.deepEqual(
      members.map(({ name, role }) => `${name} ${role}`).sort(),
      [`${ada.name} owner`, `${bob.name} member`].sort(),
    );
    const left = bob.next<Left>("room.left");
    await bob.must("room.leave", { room: room.room });
    assert.deepEqual(await left, { room: room.room, reason: "left" });
    assert.equal(
      (await bob.request("message.send", { room: room.room, id: "1", text: "x" })).error?.code,
      "forbidden",
    );
    assert.equal(
      (await bob.request("room.create", { name: room.name, kind: "public" })).error?.code,
      "conflict",
    );
  });

  test("private rooms are for who is invited", async () => {
    const [ada, bob, eve] = [
      await Person.guest(scene.url),
      await Person.guest(scene.url),
      await Person.guest(scene.url),
    ];
    const { room, name } = await ada.create(freshName("secret"), "private");
    assert.deepEqual((await eve.must("room.list", { query: name })).rooms, []);
    assert.equal((await eve.request("room.join", { room })).error?.code, "forbidden");
    assert.equal((await eve.request("room.join", { name })).error?.code, "not_found");
    const invited = bob.next<{ room: string; by: string }>("invitation");
    await ada.must("room.invite", { room, name: bob.name });
    assert.deepEqual([(await invited).room, (await invited).by], [room, ada.name]);
    const tab = await Person.open(scene.url, bob.name, bob.browser);
    assert.deepEqual(
      (await tab.welcome).invitations.map((invitation) => invitation.room),
      [room],
    );
    const here = tab.next<Membership>("room.joined", (joined) => joined.room === room);
    await bob.join(room);
    assert.equal((await here).room, room);
    const heard = tab.next<Message>("message", ({ kind }) => kind === "text");
    await ada.say(room, "welcome");
    assert.equal((await heard).text, "welcome");
    await ada.must("room.invite", { room, name: eve.name });
    await eve.must("room.decline", { room });
    assert.equal((await eve.request("room.join", { room })).error?.code, "forbidden");
  });

  test("two people have one direct room, whoever asks, and both are in it at once", async () => {
    const [ada, bob] = [await Person.guest(scene.url), await Person.guest(scene.url)];
    const arrives = bob.next<Membership>("room.joined");
    const { membership } = await ada.must("room.direct", { name: bob.name });
    assert.ok(membership);
    assert.deepEqual(
      [membership.kind, membership.name, membership.peer?.name],
      ["direct", bob.name, bob.name],
    );
    assert.deepEqual([(await arrives).room, (await arrives).name], [membership.room, ada.name]);
    const again = await bob.must("room.direct", { name: ada.name });
    assert.equal(again.membership?.room, membership.room);
    const heard = bob.next<Message>("message");
    await ada.say(membership.room, "psst");
    assert.equal((await heard).text, "psst");
    assert.equal((await ada.request("room.direct", { name: ada.name })).error?.code, "bad_request");
    assert.equal((await ada.request("room.direct", { name: freshName("nobody") })).error?.code, "not_found");
  });

  test("owners and moderators keep order, and the others cannot", async () => {
    const [owner, moderator, member] = [
      await Person.guest(scene.url),
      await Person.guest(scene.url),
      await Person.guest(scene.url),
    ];
    const { room } = await owner.create();
    for (const person of [moderator, member]) await person.join(room);
    for (const [event, more] of [
      ["room.topic", { topic: "mine" }],
      ["room.remove", { name: owner.name }],
      ["room.ban", { name: moderator.name }],
      ["room.role", { name: member.name, role: "moderator" }],
      ["webhook.create", { name: "hook" }],
    ] as const)
      assert.equal((await member.request(event, { room, ...more })).error?.code, "forbidden", event);

    const promoted = moderator.next<Membership>("room.joined", ({ role }) => role === "moderator");
    await owner.must("room.role", { room, name: moderator.name, role: "moderator" });
    await promoted;
    const topic = member.next<{ topic: string }>("room.changed");
    await moderator.must("room.topic", { room, topic: "Tea and cake" });
    assert.equal((await topic).topic, "Tea and cake");
    assert.equal(
      (await moderator.request("room.remove", { room, name: owner.name })).error?.code,
      "forbidden",
    );

    const { number } = await member.say(room, "rude");
    const removed = member.next<Message>("message.changed");
    await moderator.must("message.delete", { room, number });
    assert.equal((await removed).deleted, true);

    const away = member.next<Left>("room.left");
    const notice = owner.next<Message>("message", ({ kind }) => kind === "notice");
    await moderator.must("room.ban", { room, name: member.name });
    assert.deepEqual(await away, { room, reason: "banned", by: moderator.name });
    assert.deepEqual(
      [(await notice).text, (await notice).author],
      [`${moderator.name} banned ${member.name}`, { name: "", kind: "server" }],
    );
    const heard = member.gather<Message>("message");
    await owner.say(room, "peace");
    assert.equal((await member.request("room.join", { room })).error?.code, "forbidden");
    await moderator.must("room.unban", { room, name: member.name });
    await member.join(room);
    const kicked = member.next<Left>("room.left");
    await owner.must("room.remove", { room, name: member.name });
    assert.equal((await kicked).reason, "removed");
    await member.join(room);
    assert.ok(
      heard.every(({ text }) => text !== "peace"),
      "a banned person heard what was said",
    );
  });

  test("who is removed the moment they join is told why", async () => {
    const [owner, member] = [await Person.guest(scene.url), await Person.guest(scene.url)];
    const { room } = await owner.create();
    for (let round = 0; round < 10; round++) {
      await member.join(room);
      const told = member.next<Left>("room.left");
      await owner.must("room.remove", { room, name: member.name });
      assert.deepEqual(await told, { room, reason: "removed", by: owner.name }, `round ${round}`);
    }
  });

  test("what somebody has read, mutes and orders is the same on every device at once", async () => {
    const [ada, bob] = [await Person.member(scene.url), await Person.guest(scene.url)];
    const { room } = await ada.create();
    await bob.join(room);
    const phone = await Person.signIn(scene.url, ada.name, "polling");
    await phone.welcome;
    for (const text of ["one", "two", "three"]) await bob.say(room, text);
    const mark = phone.next<{ room: string; read: number; unread: number }>("room.read");
    const { read, unread } = await ada.must("room.read", { room, number: 2 });
    assert.deepEqual([read, unread], [2, 1]);
    assert.deepEqual(await mark, { room, read: 2, unread: 1 });
    assert.equal((await phone.must("room.read", { room, number: 1 })).read, 2, "marks go forward only");
    const muted = phone.next<Membership>("room.joined", (membership) => membership.muted);
    await ada.must("room.settings", { room, muted: true, order: -5 });
    assert.deepEqual([(await muted).room, (await muted).order, (await muted).unread], [room, -5, 1]);
    const desk = await Person.signIn(scene.url, ada.name);
    const [first] = (await desk.welcome).rooms;
    assert.deepEqual([first?.room, first?.unread, first?.muted], [room, 1, true]);
  });

  test("a person's rooms are the same in every tab", async () => {
    const ada = await Person.guest(scene.url);
    const tab = await Person.open(scene.url, ada.name, ada.browser);
    await tab.welcome;
    const arrives = tab.next<Membership>("room.joined");
    const { room } = await ada.create();
    assert.equal((await arrives).room, room);
    const leaves = tab.next<Left>("room.left");
    await ada.must("room.leave", { room });
    assert.equal((await leaves).room, room);
    await until("nobody is there", async () => {
      assert.equal((await tab.request("presence.list", { room })).error?.code, "forbidden");
      return true;
    });
  });

  test("are told of guests who sign out, and of accounts that are deleted", async () => {
    const host = await Person.guest(scene.url);
    const { room } = await host.create();
    const guest = await Person.guest(scene.url);
    const member = await Person.member(scene.url);
    for (const person of [guest, member]) await person.join(room);
    const gone = async (name: string) => {
      const left = ({ changed = [] }: MembersChanged) =>
        changed.find((person) => person.name === name && person.role === null);
      return left(await host.next<MembersChanged>("members.changed", (told) => left(told) !== undefined));
    };
    const told = gone(guest.name);
    await guest.browser.must("/api/session/sign-out", {});
    assert.equal((await told)?.kind, "guest");
    const deleted = gone(member.name);
    await member.browser.must("/api/account/delete", { password: PASSWORD });
    assert.equal((await deleted)?.kind, "member");
    const { members = [] } = await host.must("room.members", { room });
    assert.deepEqual(
      members.map(({ name }) => name),
      [host.name],
    );
  });

  test("tell of who come in a crowd in few events", async () => {
    const host = await Person.guest(scene.url);
    const { room } = await host.create();
    const told = host.gather<MembersChanged>("members.changed");
    const crowd = await Promise.all(
      Array.from({ length: 45 }, () => Person.guest(scene.url, undefined, "websocket")),
    );
    await Promise.all(crowd.map((guest) => guest.join(room)));
    const named = () => new Set(told.flatMap(({ changed = [] }) => changed.map(({ name }) => name)));
    await until("everybody is named, or members are told to ask", () =>
      Promise.resolve(
        told.some(({ changed }) => changed === undefined) || crowd.every(({ name }) => named().has(name)),
      ),
    );
    assert.ok(told.length < crowd.length, `${told.length} events for ${crowd.length} who came`);
    for (const guest of crowd) guest.socket.disconnect();
  });

  test("with more members than one answer lists are listed in pages, present or not", async () => {
    const host = await Person.guest(scene.url);
    const { room } = await host.create();
    const names = [host.name];
    while (names.length < 120) {
      const come = Array.from({ length: 17 }, () => Person.guest(scene.url, undefined, "websocket"));
      for (const guest of await Promise.all(come)) {
        await guest.join(room);
        guest.socket.disconnect();
        names.push(guest.name);
      }
    }
    const pages: string[][] = [];
    let after: string | undefined;
    do {
      const { members = [], next } = await host.must("room.members", { room, after });
      pages.push(members.map(({ name }) => name));
      after = next;
    } while (after !== undefined);
    assert.deepEqual(
      pages.map(({ length }) => length),
      [100, 20],
    );
    assert.deepEqual(pages.flat().sort(), names.sort());
  });
});
