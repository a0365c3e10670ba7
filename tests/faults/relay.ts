import dgram from "node:dgram";
import net, { type AddressInfo } from "node:net";
import { once } from "node:events";

/** How much of what passes a narrow way waits before it, by how long it takes. */
const MOST_AHEAD_MS = 50;

/**
 * A way from one node's cluster port to another's that can be made longer, or narrower for links: what `tc netem` does where
 * the kernel has it. A peer's datagrams come from the port of the way back, as from a router that translates addresses.
 */
export class Relay {
  /** How long what is sent from now on is under way, in milliseconds. */
  delay = 0;
  /** How many bytes a second each link carries from now on, in either direction. */
  rate = Infinity;
  readonly #target: { host: string; port: number };
  readonly #links = net.createServer();
  readonly #gossip = dgram.createSocket("udp4");
  readonly #sockets = new Set<net.Socket>();
  #closed = false;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  /** Listens at `host`, on one port for links and gossip. */
  static async start(host: string, target: { host: string; port: number }): Promise<Relay> {
    const relay = new Relay(target);
    relay.#links.on("connection", (socket) => {
      relay.#join(socket);
    });
    relay.#links.listen(0, host);
    await once(relay.#links, "listening");
    relay.#gossip.bind(relay.port, host);
    await once(relay.#gossip, "listening");
    return relay;
  }

  get port(): number {
    return (this.#links.address() as AddressInfo).port;
  }

  /** Datagrams that come here go on through the way back, which is where answers to them go. */
  pairWith(back: Relay): void {
    this.#gossip.on("message", (datagram) => {
      setTimeout(() => {
        if (!this.#closed) back.#gossip.send(datagram, this.#target.port, this.#target.host);
      }, this.delay);
    });
  }

  close(): void {
    this.#closed = true;
    this.#links.close();
    this.#gossip.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: net.Socket): void {
    const far = net.connect({ ...this.#target, noDelay: true });
    near.setNoDelay(true);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => undefined);
      one.once("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      this.#carry(one, other);
    }
  }

  #carry(from: net.Socket, to: net.Socket): void {
    const underWay: { due: number; chunk: Buffer }[] = [];
    /** When the last byte is through the narrowest part of the way. */
    let through = Date.now();
    const sendNext = (): void => {
      const [next] = underWay;
      if (!next) return;
      setTimeout(() => {
        underWay.shift();
        if (to.writable) to.write(next.chunk);
        sendNext();
      }, next.due - Date.now());
    };
    from.on("data", (chunk: Buffer) => {
      through = Math.max(through, Date.now()) + (1_000 * chunk.length) / this.rate;
      underWay.push({ due: through + this.delay, chunk });
      if (underWay.length === 1) sendNext();
      // No more is read than what is on the narrow part of the way, so who sends is held back as by a slow network.
      const ahead = through - Date.now();
      if (ahead > MOST_AHEAD_MS) {
        from.pause();
        setTimeout(() => from.resume(), ahead - MOST_AHEAD_MS);
      }
    });
  }
}
