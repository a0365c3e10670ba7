import assert from "node:assert/strict";
import { test } from "node:test";
import { transports, type Transport } from "../harness/client.ts";
import { Guest, type Person } from "./guest.ts";
import { onEveryScene } from "./scene.ts";

const ROOM = "tea";

/** What a browser leaves behind: nothing said, just a connection that ends. */
const ways: Record<string, (guest: Guest) => void> = {
  "signs out": (guest) => {
    guest.socket.disconnect();
  },
  "closes the page": (guest) => {
    guest.socket.io.reconnection(false);
    guest.socket.io.engine.close();
  },
};

onEveryScene("leaving the chat", (scene) => {
  for (const transport of Object.keys(transports) as Transport[]) {
    for (const [way, leave] of Object.entries(ways)) {
      test(`who ${way} is announced in every room, over ${transport}`, async () => {
        const ada = await Guest.signIn(scene.url, "Ada");
        const bob = await Guest.signIn(scene.url, "Bob", transport);
        const rooms = [ROOM, "coffee"];
        for (const guest of [ada, bob]) for (const room of rooms) await guest.join(room);
        const person = bob.person;
        const news = announcements(ada, rooms.length);
        leave(bob);
        for (const [index, told] of (await news).entries()) {
          assert.deepEqual(
            { id: told.id, user: told.user, room: told.room },
            { ...person, room: rooms.sort()[index] },
          );
        }
      });
    }
  }

  test("who is cut off is announced, and comes back as another member", async () => {
    const ada = await Guest.signIn(scene.url, "Ada");
    const bob = await Guest.signIn(scene.url, "Bob", "websocket");
    for (const guest of [ada, bob]) await guest.join(ROOM);
    const { id } = bob.person;
    const gone = ada.next<Person>("leave room");
    const back = new Promise<void>((resolve) => bob.socket.once("connect", resolve));
    cutConnection(bob);
    assert.equal((await gone).id, id);
    await back;
    const joins = ada.next<Person>("join room");
    await bob.join(ROOM);
    assert.deepEqual(await joins, { room: ROOM, ...bob.person });
    assert.notEqual(bob.id, id);
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

/** As when the cable is pulled, or the browser crashes. */
function cutConnection(guest: Guest): void {
  const { ws } = guest.socket.io.engine.transport as unknown as { ws: { terminate: () => void } };
  ws.terminate();
}
