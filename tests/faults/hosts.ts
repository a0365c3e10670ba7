import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import type { Place } from "../harness/cluster.ts";
import type { NetworkFault } from "./fault.ts";
import { Relay } from "./relay.ts";

const HTTP_PORT = 9000;
const ADMIN_PORT = 9001;
const CLUSTER_PORT = 7000;
const NAMESPACES = "/run/netns";
const PREFIX = "hither-test-";

/** Why hosts of their own cannot be had here; `false` when they can. */
export function whyNoHosts(): string | false {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const program of ["ip", "iptables"]) {
    try {
      execFileSync(program, ["-V"], { stdio: "ignore" });
    } catch {
      return `network namespaces need ${program} (Debian: apt install iproute2 iptables)`;
    }
  }
  try {
    ip("netns", "add", `${PREFIX}${process.pid}-trial`);
    ip("netns", "delete", `${PREFIX}${process.pid}-trial`);
    return false;
  } catch (error) {
    return `this machine makes no network namespaces: ${String(error)}`;
  }
}

export interface HostOptions {
  count: number;
  /** All that nodes send each other goes through relays, which can delay it, and past the other network faults. */
  relayed?: boolean;
}

/**
 * Hosts of their own for nodes: network namespaces, each with an address, joined by a bridge. Clients live on the bridge
 * itself, so that what is done between hosts does not touch them.
 */
export class Hosts {
  readonly #network = `10.${64 + (process.pid % 64)}.${(process.pid >> 6) % 256}`;
  readonly #bridge = `hth${process.pid}`;
  readonly #count: number;
  readonly #relays: { between: readonly [number, number]; relay: Relay }[] = [];

  private constructor(count: number) {
    this.#count = count;
  }

  static async prepare({ count, relayed = false }: HostOptions): Promise<Hosts> {
    removeLeftovers();
    const hosts = new Hosts(count);
    process.once("exit", () => {
      hosts.remove();
    });
    ip("link", "add", hosts.#bridge, "type", "bridge");
    ip("address", "add", `${hosts.#outside}/24`, "dev", hosts.#bridge);
    ip("link", "set", hosts.#bridge, "up");
    for (let number = 1; number <= count; number += 1) hosts.#add(number);
    if (relayed) await hosts.#relay();
    return hosts;
  }

  place(number: number): Place {
    if (number > this.#count) throw new Error(`only ${this.#count} hosts were prepared`);
    return {
      ports: { host: this.#address(number), http: HTTP_PORT, admin: ADMIN_PORT, cluster: CLUSTER_PORT },
      inside: ({ command, leadingArgs }) => ({
        command: "ip",
        leadingArgs: ["netns", "exec", this.#namespace(number), command, ...leadingArgs],
      }),
    };
  }

  inflict(fault: NetworkFault): void {
    switch (fault.kind) {
      case "mute":
        this.#silence(fault.from, fault.to);
        break;
      case "cut": {
        const [one, other] = fault.between;
        this.#silence(one, other);
        this.#silence(other, one);
        break;
      }
      case "partition":
        for (const here of fault.sides) {
          for (const there of fault.sides.filter((side) => side !== here)) {
            for (const from of there) for (const to of here) this.#silence(from, to);
          }
        }
        break;
      case "lose": {
        const datagrams = fault.what === "datagrams" ? ["-p", "udp"] : [];
        const chance = ["-m", "statistic", "--mode", "random", "--probability", String(fault.share)];
        for (const to of this.#numbers) this.#rule(to, ...datagrams, ...chance, "-j", "DROP");
        break;
      }
      case "delay":
        if (this.#relays.length === 0) throw new Error("only relayed hosts can be slow");
        for (const { relay } of this.#relays) relay.delay = fault.by;
        break;
      case "narrow":
        if (this.#relays.length === 0) throw new Error("only links of relayed hosts can be narrow");
        for (const { between, relay } of this.#relays)
          if (between.includes(fault.node)) relay.rate = fault.rate;
        break;
      case "heal":
        for (const { relay } of this.#relays) {
          relay.delay = 0;
          relay.rate = Infinity;
        }
        for (const number of this.#numbers) this.#firewall(number, "-F", "faults");
        break;
    }
  }

  remove(): void {
    for (const { relay } of this.#relays.splice(0)) relay.close();
    for (const number of this.#numbers) quietly("netns", "delete", this.#namespace(number));
    quietly("link", "delete", this.#bridge);
  }

  /** Where clients and relays are. */
  get #outside(): string {
    return this.#address(254);
  }

  get #numbers(): number[] {
    return Array.from({ length: this.#count }, (_, index) => index + 1);
  }

  #namespace(number: number): string {
    return `${PREFIX}${process.pid}-${number}`;
  }

  #address(number: number): string {
    return `${this.#network}.${number}`;
  }

  #add(number: number): void {
    const namespace = this.#namespace(number);
    // At most 15 characters. The kernel may still be taking down the one of an earlier trial.
    const outside = `hth${process.pid}n${number}`;
    quietly("link", "delete", outside);
    ip("netns", "add", namespace);
    ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    ip("link", "set", outside, "master", this.#bridge, "up");
    ip("-netns", namespace, "address", "add", `${this.#address(number)}/24`, "dev", "eth0");
    ip("-netns", namespace, "link", "set", "eth0", "up");
    ip("-netns", namespace, "link", "set", "lo", "up");
    this.#firewall(number, "-N", "faults");
    // What clients and the node itself send is none of the faults' business.
    const others = ["-i", "eth0", "!", "-s", this.#outside];
    this.#firewall(number, "-A", "INPUT", ...others, "-j", "faults");
  }

  /** Turns every way from node to node into one through a relay. */
  async #relay(): Promise<void> {
    for (const one of this.#numbers) {
      for (const other of this.#numbers.filter((number) => number < one)) {
        const to = await this.#turn(one, other);
        const back = await this.#turn(other, one);
        to.pairWith(back);
        back.pairWith(to);
      }
    }
  }

  async #turn(from: number, to: number): Promise<Relay> {
    const relay = await Relay.start(this.#outside, { host: this.#address(to), port: CLUSTER_PORT });
    this.#relays.push({ between: [from, to], relay });
    const way = ["-d", this.#address(to), "--dport", String(CLUSTER_PORT)];
    const turned = ["-j", "DNAT", "--to-destination", `${this.#outside}:${relay.port}`];
    for (const protocol of ["tcp", "udp"])
      this.#firewall(from, "-t", "nat", "-A", "OUTPUT", "-p", protocol, ...way, ...turned);
    return relay;
  }

  #silence(from: number, to: number): void {
    this.#rule(to, "-s", this.#address(from), "-j", "DROP");
  }

  #rule(at: number, ...rule: string[]): void {
    this.#firewall(at, "-A", "faults", ...rule);
  }

  #firewall(at: number, ...args: string[]): void {
    ip("netns", "exec", this.#namespace(at), "iptables", "-w", ...args);
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function quietly(...args: string[]): void {
  try {
    ip(...args);
  } catch {
    // It is not there, which is what is wanted.
  }
}

/** Of test processes that were killed before they could tidy up. */
function removeLeftovers(): void {
  if (!existsSync(NAMESPACES)) return;
  for (const namespace of readdirSync(NAMESPACES)) {
    const pid = /^hither-test-(\d+)-/.exec(namespace)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    quietly("netns", "delete", namespace);
    quietly("link", "delete", `hth${pid}`);
  }
}
