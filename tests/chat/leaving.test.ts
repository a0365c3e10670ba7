import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { transports, type Transport } from "../harness/client.ts";
import { until } from "../harness/wait.ts";
import { emptyRoom, Guest, type Person } from "./guest.ts";
import { onEveryScene } from "./scene.ts";

/** What a browser leaves behind: nothing said, just a connection that ends. */
const ways: Record<string, (guest: Guest) => void> = {
  "signs out": (guest) => {
    guest.socket.disconnect();
  },
  "closes the page": closePage,
};

onEveryScene("leaving the chat", (scene) => {
  for (const transport of Object.keys(transports) as Transport[]) {
    for (const [way, leave] of Object.entries(ways)) {
      test(`who ${way} is announced in every room, over ${transport}`, async () => {
        const ada = await Guest.signIn(scene.url, "Ada");
        const bob = await Guest.signIn(scene.url, "Bob", transport);
        const rooms = [emptyRoom(), emptyRoom()].sort();
        for (const guest of [ada, bob]) for (const room of rooms) await guest.join(room);
        const person = bob.person;
        const news = announcements(ada, rooms.length);
        leave(bob);
        for (const [index, told] of (await news).entries()) {
          assert.deepEqual(
            { id: told.id, user: told.user, room: told.room },
            { ...person, room: rooms[index] },
          );
        }
      });
    }
  }

  test("people who close at any moment of connecting and upgrading leave nobody behind", async () => {
    const room = emptyRoom();
    const ada = await Guest.signIn(scene.url, "Ada");
    await ada.join(room);
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const guest = await Guest.signIn(scene.url, `Guest ${index}`, "upgrade");
        await guest.join(room);
        await sleep(index % 15);
        closePage(guest);
      }),
    );
    await until("nobody but Ada is in the room", async () => {
      await ada.leave(room);
      const answer = await ada.join(room);
      assert.ok(answer.ok);
      assert.deepEqual(answer.members, [ada.person]);
      return true;
    });
  });

  test("who is cut off and stays away is announced", async () => {
    const room = emptyRoom();
    const ada = await Guest.signIn(scene.url, "Ada");
    const bob = await Guest.signIn(scene.url, "Bob", "websocket");
    for (const guest of [ada, bob]) await guest.join(room);
    const { id } = bob.person;
    const gone = ada.next<Person>("leave room");
    bob.socket.io.reconnection(false);
    cutConnection(bob);
    assert.equal((await gone).id, id);
  });

  test("who is cut off and comes back at once is the same member, and nobody hears of it", async () => {
    const room = emptyRoom();
    const ada = await Guest.signIn(scene.url, "Ada");
    const bob = await Guest.signIn(scene.url, "Bob", "websocket");
    for (const guest of [ada, bob]) await guest.join(room);
    const { id } = bob.person;
    const departures = ada.gather<Person>("leave room");
    const back = new Promise<void>((resolve) => bob.socket.once("connect", resolve));
    cutConnection(bob);
    await back;
    assert.equal(bob.socket.recovered, true);
    assert.equal(bob.id, id);
    const heard = ada.next<{ message: string }>("chat message");
    await bob.say(room, "here I am");
    assert.equal((await heard).message, "here I am");
    assert.deepEqual(departures, []);
  });
});

/** So many departures, sorted by room. */
async function announcements(guest: Guest, count: number): Promise<(Person & { room: string })[]> {
  const told: (Person & { room: string })[] = [];
  await new Promise<void>((resolve) => {
    guest.socket.on("leave room", (departure: Person & { room: string }) => {
      if (told.push(departure) === count) resolve();
    });
  });
  return told.sort((one, other) => one.room.localeCompare(other.room));
}

function closePage(guest: Guest): void {
  guest.socket.io.reconnection(false);
  guest.socket.io.engine.close();
}

/** As when the cable is pulled, or the browser crashes. */
function cutConnection(guest: Guest): void {
  const { ws } = guest.socket.io.engine.transport as unknown as { ws: { terminate: () => void } };
  ws.terminate();
}
