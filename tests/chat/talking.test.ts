import assert from "node:assert/strict";
import { test } from "node:test";
import { transports, type Transport } from "../harness/client.ts";
import { until } from "../harness/wait.ts";
import { Guest, type Person, type Told } from "./guest.ts";
import { onEveryScene } from "./scene.ts";

const ROOM = "tea";

onEveryScene("talking in the chat", (scene) => {
  const signIn = (name: string, transport?: Transport) => Guest.signIn(scene.url, name, transport);

  /** Several people in one room. */
  async function company(...names: string[]): Promise<Guest[]> {
    const guests: Guest[] = [];
    for (const name of names) {
      const guest = await signIn(name);
      const answer = await guest.join(ROOM);
      assert.ok(answer.ok);
      guests.push(guest);
    }
    return guests;
  }

  test("a newcomer is welcomed by the name the server took, and told the limits", async () => {
    const guest = await signIn("  Ada Lovelace  ");
    const { user, rooms, limits } = await guest.welcome;
    assert.equal(user, "Ada Lovelace");
    assert.ok(Array.isArray(rooms));
    assert.deepEqual(limits, { message: 4096 });
  });

  test("who joins learns who is there, himself included, and the others learn of him", async () => {
    const [ada, bob] = await company("Ada", "Bob");
    assert.ok(ada && bob);
    const news = [ada, bob].map((guest) => guest.next("join room"));
    const carol = await signIn("Carol");
    const answer = await carol.join(ROOM);
    assert.ok(answer.ok);
    assert.deepEqual(byId(answer.members ?? []), byId([ada.person, bob.person, carol.person]));
    for (const told of await Promise.all(news)) assert.deepEqual(told, { room: ROOM, ...carol.person });
  });

  for (const transport of Object.keys(transports) as Transport[]) {
    test(`over ${transport}, what one says is told to all in the room, himself included`, async () => {
      const guests = await Promise.all(["Ada", "Bob", "Carol"].map((name) => signIn(name, transport)));
      for (const guest of guests) await guest.join(ROOM);
      for (const speaker of guests) {
        const message = `hello from ${speaker.name} <b>&amp;</b> 🦀`;
        const told = guests.map((guest) => guest.next<Told>("chat message"));
        assert.deepEqual(await speaker.say(ROOM, message), { ok: true });
        for (const words of await Promise.all(told)) {
          const { room, user, id, message: heard, kind } = words;
          assert.deepEqual(
            { room, user, id, heard, kind },
            { room: ROOM, ...speaker.person, heard: message, kind: "text" },
          );
        }
      }
    });
  }

  test("the user's name comes from the connection, whatever the message says", async () => {
    const [ada] = await company("Ada");
    assert.ok(ada);
    const told = ada.next<Told>("chat message");
    const forged = { room: ROOM, message: "it was not me", user: "Mallory", id: "forged", kind: "action" };
    assert.deepEqual(await ada.request("chat message", forged), { ok: true });
    const { user, id, kind } = await told;
    assert.deepEqual({ user, id, kind }, { ...ada.person, kind: "text" });
  });

  test("/me is shown as an action", async () => {
    const [ada, bob] = await company("Ada", "Bob");
    assert.ok(ada && bob);
    const told = bob.next<Told>("chat message");
    await ada.say(ROOM, "/me waves");
    const { user, message, kind } = await told;
    assert.deepEqual({ user, message, kind }, { user: "Ada", message: "waves", kind: "action" });
  });

  test("who leaves is announced, and hears no more", async () => {
    const [ada, bob] = await company("Ada", "Bob");
    assert.ok(ada && bob);
    const news = ada.next<Person & { room: string }>("leave room");
    const person = bob.person;
    assert.deepEqual(await bob.leave(ROOM), { ok: true });
    const { room, user, id } = await news;
    assert.deepEqual({ room, user, id }, { room: ROOM, ...person });
    const heard = bob.gather("chat message");
    await ada.say(ROOM, "is he gone?");
    await bob.join(ROOM);
    await ada.say(ROOM, "he is back");
    await until("Bob hears something again", () => heard.length > 0);
    assert.deepEqual(
      (heard as Told[]).map(({ message }) => message),
      ["he is back"],
    );
  });

  test("rooms are apart from each other", async () => {
    const ada = await signIn("Ada");
    const bob = await signIn("Bob");
    await ada.join("coffee");
    await bob.join("cocoa");
    const heard = bob.gather<Told>("chat message");
    await ada.say("coffee", "only for coffee");
    await bob.say("cocoa", "only for cocoa");
    await until("Bob hears himself", () => heard.length > 0);
    assert.deepEqual(
      heard.map(({ room }) => room),
      ["cocoa"],
    );
  });

  test("one person in two tabs is two members of the same name", async () => {
    const [first] = await company("Ada");
    const second = await signIn("Ada");
    const answer = await second.join(ROOM);
    assert.ok(first && answer.ok);
    assert.deepEqual(byId(answer.members ?? []), byId([first.person, second.person]));
  });

  test("the list of rooms says how many are in each", async () => {
    await company("Ada", "Bob", "Carol");
    const dora = await signIn("Dora");
    await until("the room is listed with three members", async () => {
      const answer = await dora.request("list rooms", {});
      return answer.ok && answer.rooms?.some(({ room, members }) => room === ROOM && members === 3);
    });
  });
});

function byId(people: readonly Person[]): Person[] {
  return people.map(({ id, user }) => ({ id, user })).sort((one, other) => one.id.localeCompare(other.id));
}
