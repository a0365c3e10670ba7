import dgram from "node:dgram";
import net from "node:net";

/*
 * Ports lie below Linux' ephemeral range, so that no outgoing connection can take one between the look and the
 * bind; and each test process draws from a block of its own, so that test files may run side by side. A block is claimed by
 * listening at its first port for as long as the process lives: a port that is free for a moment, because its node is down, is
 * nobody else's.
 */
const LOWEST = 10_000;
const BLOCK = 64;
const BLOCKS = 340;

let claimed: Promise<number> | undefined;
let drawn = 0;

/** A loopback port that is free for TCP and UDP alike. */
export async function freePort(): Promise<number> {
  const start = await (claimed ??= claimBlock());
  for (let tries = 1; tries < BLOCK; tries += 1) {
    const port = start + 1 + (drawn++ % (BLOCK - 1));
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

/** The first port of a block that is this process' own from now on. */
async function claimBlock(): Promise<number> {
  for (let tries = 0; tries < BLOCKS; tries += 1) {
    const start = LOWEST + ((process.pid + tries) % BLOCKS) * BLOCK;
    const claim = await listening(start);
    if (!claim) continue;
    // It ends with the process, which it does not keep.
    claim.unref();
    return start;
  }
  throw new Error("every block of ports is claimed by another process");
}

async function isFreeForTcp(port: number): Promise<boolean> {
  const server = await listening(port);
  if (!server) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** A server at this port of the loopback; none when somebody has it. */
function listening(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => {
      resolve(undefined);
    });
    server.listen({ port, host: "127.0.0.1" }, () => {
      resolve(server);
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
