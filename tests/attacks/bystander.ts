/*
 * Clients that have nothing to do with the attack, one for each address, of which each argument is a list with commas: each asks one
 * thing after the other, with a pause. For each line of its standard input the program says for each list how long the answers
 * since the line before have taken. It is a process of its own, so that nobody in it waits for the attacker.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, connected } from "../harness/client.ts";

const PAUSE_MS = 5;

const groups = process.argv.slice(2).map((list) => list.split(","));
const taken: number[][] = groups.map(() => []);
let disconnects = 0;

const sockets = await Promise.all(
  groups.flatMap((urls, group) =>
    urls.map(async (url) => ({ group, socket: await connected(url, "websocket") })),
  ),
);
for (const { socket } of sockets) socket.on("disconnect", () => (disconnects += 1));

createInterface({ input: process.stdin }).on("line", () => {
  process.stdout.write(`${JSON.stringify({ taken, disconnects })}\n`);
  for (const each of taken) each.length = 0;
});
process.stdin.on("end", () => process.exit(0));

await Promise.all(
  sockets.map(async ({ group, socket }) => {
    for (;;) {
      const began = performance.now();
      const former = disconnects;
      try {
        await ask(socket, "echo", "hello");
        taken[group]?.push(performance.now() - began);
      } catch (error) {
        // Its node was stopped: the client comes back by itself, and what it is told of is the disconnect.
        if (disconnects === former) throw error;
        if (!socket.connected)
          await new Promise((resolve) =>
            socket.once("connect", () => {
              resolve(null);
            }),
          );
      }
      await sleep(PAUSE_MS);
    }
  }),
);
