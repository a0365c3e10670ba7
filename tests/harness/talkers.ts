import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suiteRoot } from "./artifacts.ts";
import { Child } from "./child.ts";
import { ask, connected, type Client, type Transport } from "./client.ts";
import { until } from "./wait.ts";

/** A disconnect that nobody asked for. */
export interface Disconnect {
  /** When, in milliseconds since 1970. */
  at: number;
  reason: string;
}

/** What became of some clients that called and called. */
export interface Outcome {
  calls: number;
  /** Calls without their answer: when, and why. */
  lost: string[];
  /** For each client, the disconnects that it saw. */
  disconnects: Disconnect[][];
  /** How often a client came back as somebody new. */
  reborn: number;
  /** How many were connected at the end. */
  connected: number;
}

/** Clients that call the testbed's `echo` until they are told to end. */
export interface Talkers {
  /** Waits for the answers to the last calls, and disconnects. */
  end(): Promise<Outcome>;
  /** Ends them at once, whatever they wait for; for a test that has failed. */
  abort(): Promise<void>;
}

/** How long Python takes at most, in milliseconds, to start and to connect its clients one after the other on a busy machine. */
const PYTHON_START = 60_000;

/** How long an answer may take, in milliseconds. */
const PATIENCE = 10_000;

/** Stock JavaScript clients. Those with WebSockets repeat a call of which a disconnect has taken the answer. */
export async function talkers(
  url: string,
  transport: Transport,
  count: number,
  pause: number,
): Promise<Talkers> {
  const options = transport === "polling" ? {} : { retries: 5, ackTimeout: 2_000 };
  const sockets = await Promise.all(
    Array.from({ length: count }, () => connected(url, transport, { reconnectionDelay: 50, ...options })),
  );
  const outcome: Outcome = { calls: 0, lost: [], disconnects: [], reborn: 0, connected: 0 };
  const stop = new AbortController();
  const talks = sockets.map(async (socket, index) => {
    const disconnects: Disconnect[] = [];
    outcome.disconnects.push(disconnects);
    socket.on("disconnect", (reason) => disconnects.push({ at: Date.now(), reason }));
    socket.on("connect", () => (outcome.reborn += socket.recovered ? 0 : 1));
    const room = `talker ${index}`;
    await ask(socket, "join", room);
    await sleep((pause * index) / count);
    for (let number = 1; !stop.signal.aborted; number += 1) {
      // A publication is heard in the room, and brings the offset by which a client says how far it got.
      const words: [string, ...(string | number)[]] =
        number % 2 === 0 ? ["echo", number] : ["publish", room, number];
      await call(socket, words, outcome, transport === "polling");
      await sleep(pause);
    }
  });
  return {
    end: async () => {
      stop.abort();
      await Promise.all(talks);
      // Whose node has just left is on the way to another.
      await until("all are connected", () => sockets.every((socket) => socket.connected));
      outcome.connected = sockets.filter((socket) => socket.connected).length;
      for (const socket of sockets) socket.removeAllListeners("disconnect").disconnect();
      return outcome;
    },
    abort: () => {
      stop.abort();
      for (const socket of sockets) socket.disconnect();
      return Promise.resolve();
    },
  };
}

async function call(
  socket: Client,
  [event, ...args]: readonly [string, ...(string | number)[]],
  outcome: Outcome,
  once: boolean,
): Promise<void> {
  outcome.calls += 1;
  try {
    const asking = once ? socket.timeout(PATIENCE) : socket;
    const answer: unknown = await asking.emitWithAck(event, ...args);
    if (event === "echo" && answer !== args[0])
      throw new Error(`${String(answer)} instead of ${String(args[0])}`);
  } catch (error) {
    outcome.lost.push(`${new Date().toISOString()} ${String(error)}`);
  }
}

/** Stock Python clients, in a process of their own. */
export async function pythonTalkers(
  url: string,
  transport: "polling" | "websocket",
  count: number,
  pause: number,
): Promise<Talkers> {
  const python = path.join(suiteRoot, "python", ".venv", "bin", "python");
  if (!existsSync(python)) throw new Error(`${python} is missing: run sh tests/python/install.sh`);
  const child = new Child(`python-${transport}-${new URL(url).port}`, {
    program: python,
    args: [path.join(suiteRoot, "python", "talkers.py"), url, transport, String(count), String(pause / 1000)],
  });
  try {
    await until(
      "the Python clients are connected",
      () => {
        if (!child.isRunning) throw new Error(`they have ended: ${child.lastLines.slice(-3).join("; ")}`);
        return child.lastLines.includes("ready");
      },
      { within: PYTHON_START },
    );
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    end: async () => {
      const { code } = await child.stop(3 * PATIENCE);
      if (code !== 0)
        throw new Error(`the Python clients ended with ${String(code)}: ${child.lastLines.join("; ")}`);
      // They are somebody new after each disconnect: that client does not know how to recover.
      return { reborn: 0, ...(JSON.parse(child.lastLines.at(-1) ?? "") as Omit<Outcome, "reborn">) };
    },
    abort: async () => {
      await child.kill();
    },
  };
}
