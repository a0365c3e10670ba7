import dgram from "node:dgram";
import net from "node:net";

/*
 * Ports lie below Linux' ephemeral range, so that no outgoing connection can take one between the look and the
 * bind; and each test process draws from a block of its own, so that test files may run side by side.
 */
const LOWEST = 10_000;
const BLOCK = 64;
const BLOCKS = 340;

const start = LOWEST + (process.pid % BLOCKS) * BLOCK;
let drawn = 0;

/** A loopback port that is free for TCP and UDP alike. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < BLOCK; tries += 1) {
    const port = start + (drawn++ % BLOCK);
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port;
  }
  throw new Error(`no free port in ${start}..${start + BLOCK - 1}`);
}

/** The first of so many consecutive ports that are free for TCP and UDP alike. */
export async function freePorts(count: number): Promise<number> {
  let [first, found] = [await freePort(), 1];
  while (found < count) {
    const next = await freePort();
    [first, found] = next === first + found ? [first, found + 1] : [next, 1];
  }
  return first;
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen({ port, host: "127.0.0.1" }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket("udp4");
    socket.once("error", () => {
      resolve(false);
    });
    socket.bind(port, "127.0.0.1", () => {
      socket.close(() => {
        resolve(true);
      });
    });
  });
}
