// Fills rooms with people who talk, until it is ended: demo.mjs FRONT_URL. They are ordinary clients, guests of the chat.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { io } = createRequire(new URL("../../web/package.json", import.meta.url))("socket.io-client");

const [front] = process.argv.slice(2);
if (front === undefined) fail("demo.mjs needs the address of the chat");

/** In milliseconds. */
const ANSWER_TIMEOUT = 10_000;
const SHORTEST_PAUSE = 700;
const LONGEST_PAUSE = 4_000;

const NAMES = ["Grace", "Linus", "Maria", "Tomás", "Aiko", "Noor", "Ben", "Chiara"];

/** Who says what, in turn: `who` counts the people of a room. `reply` and `react` are about the message before. */
const ROOMS = [
  {
    name: "rollout",
    topic: "The new balancer, step by step",
    lines: [
      { who: 0, text: "Morning! The new balancer is on **node2** since eight. No sticky sessions any more." },
      { who: 1, text: "And? Did anybody notice?" },
      { who: 2, text: "I did not, and I was in a call the whole time.", react: "🎉" },
      {
        who: 0,
        text: "That was the idea. These are the numbers:\n```\nrequests   41 208\nerrors          0\nmoved       1 377\n```",
      },
      { who: 3, text: "1 377 sessions moved and nobody saw it?", reply: true },
      { who: 0, text: "Nobody. `scripts/cluster.sh drain 2` and they are elsewhere.", react: "👍" },
      { who: 1, text: "Next steps, as I have them:\n1. drain node3\n2. upgrade it\n3. have a coffee" },
      { who: 2, text: "> have a coffee\nI can take over that one.", react: "😂" },
      { who: 3, text: "is already on the way to the kitchen", kind: "action" },
      { who: 1, text: "Then I kill node1 meanwhile. Watch the badge at the top." },
      { who: 2, text: "It said *Reconnecting* for a second, and that was all.", react: "👀" },
    ],
  },
  {
    name: "frontend",
    topic: "What people see",
    lines: [
      {
        who: 4,
        text: "The search leads to the message among its neighbours now. Try it, it is the glass at the top.",
      },
      { who: 5, text: "Nice. Does it find *accents* as well?" },
      { who: 4, text: "Naïve, café, Tomás: yes.", react: "❤️" },
      { who: 6, text: "What about the phone?", reply: true },
      {
        who: 4,
        text: "Same page, one column. See the [notes](https://www.w3.org/WAI/standards-guidelines/wcag/) for what we keep to.",
      },
      {
        who: 5,
        text: "And without a network it opens, keeps what I write, and sends it later. I tried it in the tunnel.",
        react: "🎉",
      },
      { who: 7, text: "applauds", kind: "action" },
    ],
  },
  {
    name: "coffee",
    topic: "Anything but work",
    lines: [
      { who: 7, text: "Who is in for lunch at half past twelve?" },
      { who: 2, text: "Me!", react: "👍" },
      { who: 6, text: "Me too, if it is the place with the soup. 🍜" },
      { who: 5, text: "It is always the place with the soup.", reply: true, react: "😂" },
      { who: 7, text: "Then half past twelve, at the door." },
    ],
  },
];

main().catch((error) => fail(error.message));

async function main() {
  const people = await Promise.all(NAMES.map((name) => arrive(name)));
  console.log(`${people.map(({ name }) => name).join(", ")} are here, and talk at ${front}; Ctrl-C ends it`);
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => ending.abort());
  try {
    await Promise.all(ROOMS.map((room) => talk(room, people, ending.signal)));
  } finally {
    await Promise.all(people.map(leave));
  }
}

/** A guest with this name, or one like it if somebody has it. */
async function arrive(wanted) {
  for (let attempt = 1; attempt <= 20; attempt += 1) {
    const name = attempt === 1 ? wanted : `${wanted} ${attempt}`;
    const { answer, cookie } = await post("session/guest", { name });
    if (answer.ok) return connect(name, cookie);
    if (answer.error.code !== "conflict") throw new Error(`${name} is not let in: ${answer.error.message}`);
  }
  throw new Error(`every name like ${wanted} is taken`);
}

async function connect(name, cookie) {
  const socket = io(`${front}/chat`, { extraHeaders: { cookie }, forceNew: true });
  await new Promise((resolve, reject) => {
    socket.once("welcome", resolve);
    socket.once("connect_error", reject);
  });
  return { name, cookie, socket };
}

async function leave({ socket, cookie }) {
  socket.disconnect();
  await post("session/sign-out", {}, cookie);
}

async function post(path, body, cookie) {
  const response = await fetch(`${front}/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  });
  const [set = ""] = response.headers.getSetCookie();
  return { answer: await response.json(), cookie: set.split(";")[0] };
}

async function talk({ name, topic, lines }, people, signal) {
  const there = [...new Set(lines.map(({ who }) => who))].map((who) => people[who]);
  const room = await meet(name, topic, there);
  for (let before = null; !signal.aborted;) {
    for (const { who, text, kind = "text", reply = false, react } of lines) {
      if (signal.aborted) return;
      const speaker = people[who];
      speaker.socket.emit("typing", { room });
      await pause(signal);
      if (signal.aborted) return;
      const said = await ask(speaker, "message.send", {
        room,
        id: randomUUID(),
        text,
        kind,
        ...(reply && before !== null && { replyTo: before }),
      });
      if (!said.ok) {
        console.error(`${speaker.name} could not say something in #${name}: ${said.error.message}`);
        continue;
      }
      before = said.number;
      if (react !== undefined) {
        const others = there.filter((other) => other !== speaker).slice(0, 2);
        for (const other of others)
          await ask(other, "message.react", { room, number: before, emoji: react, on: true });
      }
    }
  }
}

/** Everybody is in the room; the first makes it if it is not there. */
async function meet(name, topic, there) {
  const [first, ...others] = there;
  let answer = await ask(first, "room.join", { name });
  if (!answer.ok) answer = await ask(first, "room.create", { name, kind: "public", topic });
  if (!answer.ok) throw new Error(`#${name} cannot be made: ${answer.error.message}`);
  const { room } = answer.membership;
  for (const other of others) await ask(other, "room.join", { room });
  return room;
}

/** What goes unanswered is told as a problem, like what is refused: the demo goes on while nodes come and go. */
async function ask({ socket }, event, request) {
  try {
    return await socket.timeout(ANSWER_TIMEOUT).emitWithAck(event, request);
  } catch (error) {
    return { ok: false, error: { code: "no_answer", message: error.message } };
  }
}

async function pause(signal) {
  const length = SHORTEST_PAUSE + Math.random() * (LONGEST_PAUSE - SHORTEST_PAUSE);
  await sleep(length, undefined, { signal }).catch((error) => {
    if (!signal.aborted) throw error;
  });
}

function fail(problem) {
  console.error(`demo: ${problem}`);
  process.exit(1);
}
