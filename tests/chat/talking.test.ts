import assert from "node:assert/strict";
import { test } from "node:test";
import { transports, type Transport } from "../harness/client.ts";
import { until } from "../harness/wait.ts";
import { emptyRoom, Guest, type Person, type Told } from "./guest.ts";
import { onEveryScene } from "./scene.ts";

onEveryScene("talking in the chat", (scene) => {
  const signIn = (name: string, transport?: Transport) => Guest.signIn(scene.url, name, transport);

  /** Several people in one room. */
  async function company(room: string, ...names: string[]): Promise<Guest[]> {
    const guests: Guest[] = [];
    for (const name of names) {
      const guest = await signIn(name);
      const answer = await guest.join(room);
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
    const room = emptyRoom();
    const [ada, bob] = await company(room, "Ada", "Bob");
    assert.ok(ada && bob);
    const carol = await signIn("Carol");
    const news = [ada, bob].map((guest) => guest.next<Person>("join room", ({ id }) => id === carol.id));
    const answer = await carol.join(room);
    assert.ok(answer.ok);
    assert.deepEqual(byId(answer.members ?? []), byId([ada.person, bob.person, carol.person]));
    for (const told of await Promise.all(news)) assert.deepEqual(told, { room, ...carol.person });
  });

  for (const transport of Object.keys(transports) as Transport[]) {
    test(`over ${transport}, what one says is told to all in the room, himself included`, async () => {
      const room = emptyRoom();
      const guests = await Promise.all(["Ada", "Bob", "Carol"].map((name) => signIn(name, transport)));
      for (const guest of guests) await guest.join(room);
      for (const speaker of guests) {
        const message = `hello from ${speaker.name} <b>&amp;</b> 🦀`;
        const told = guests.map((guest) => guest.next<Told>("chat message"));
        assert.deepEqual(await speaker.say(room, message), { ok: true });
        for (const words of await Promise.all(told)) {
          assert.deepEqual(words, { room, ...speaker.person, message, kind: "text" });
        }
      }
    });
  }

  test("the user's name comes from the connection, whatever the message says", async () => {
    const room = emptyRoom();
    const [ada] = await company(room, "Ada");
    assert.ok(ada);
    const told = ada.next<Told>("chat message");
    const forged = { room, message: "it was not me", user: "Mallory", id: "forged", kind: "action" };
    assert.deepEqual(await ada.request("chat message", forged), { ok: true });
    const { user, id, kind } = await told;
    assert.deepEqual({ user, id, kind }, { ...ada.person, kind: "text" });
  });

  test("/me is shown as an action", async () => {
    const room = emptyRoom();
    const [ada, bob] = await company(room, "Ada", "Bob");
    assert.ok(ada && bob);
    const told = bob.next<Told>("chat message");
    await ada.say(room, "/me waves");
    const { user, message, kind } = await told;
    assert.deepEqual({ user, message, kind }, { user: "Ada", message: "waves", kind: "action" });
  });

  test("who leaves is announced, and hears no more", async () => {
    const room = emptyRoom();
    const [ada, bob] = await company(room, "Ada", "Bob");
    assert.ok(ada && bob);
    const news = ada.next<Person & { room: string }>("leave room");
    const person = bob.person;
    assert.deepEqual(await bob.leave(room), { ok: true });
    const { room: left, user, id } = await news;
    assert.deepEqual({ room: left, user, id }, { room, ...person });
    const heard = bob.gather("chat message");
    await ada.say(room, "is he gone?");
    await bob.join(room);
    await ada.say(room, "he is back");
    await until("Bob hears something again", () => heard.length > 0);
    assert.deepEqual(
      (heard as Told[]).map(({ message }) => message),
      ["he is back"],
    );
  });

  test("rooms are apart from each other", async () => {
    const [coffee, cocoa] = [emptyRoom(), emptyRoom()];
    const ada = await signIn("Ada");
    const bob = await signIn("Bob");
    await ada.join(coffee);
    await bob.join(cocoa);
    const heard = bob.gather<Told>("chat message");
    await ada.say(coffee, "only for coffee");
    await bob.say(cocoa, "only for cocoa");
    await until("Bob hears himself", () => heard.length > 0);
    assert.deepEqual(
      heard.map(({ room }) => room),
      [cocoa],
    );
  });

  test("one person in two tabs is two members of the same name", async () => {
    const room = emptyRoom();
    const [first] = await company(room, "Ada");
    const second = await signIn("Ada");
    const answer = await second.join(room);
    assert.ok(first && answer.ok);
    assert.deepEqual(byId(answer.members ?? []), byId([first.person, second.person]));
  });

  test("the list of rooms says how many are in each", async () => {
    const room = emptyRoom();
    await company(room, "Ada", "Bob", "Carol");
    const dora = await signIn("Dora");
    await until("the room is listed with three members", async () => {
      const answer = await dora.request("list rooms", {});
      assert.ok(answer.ok);
      const listed = answer.rooms?.find((one) => one.room === room);
      assert.deepEqual(listed, { room, members: 3 });
      return true;
    });
  });
});

function byId(people: readonly Person[]): Person[] {
  return people.map(({ id, user }) => ({ id, user })).sort((one, other) => one.id.localeCompare(other.id));
}
