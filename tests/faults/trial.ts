import { rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { artifactPath } from "../harness/artifacts.ts";
import { closeClients, transports, type Transport } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { testbed, type Program } from "../harness/programs.ts";
import { until } from "../harness/wait.ts";
import { History } from "../history/history.ts";
import { converged, type Expected } from "./convergence.ts";
import { Dice } from "./dice.ts";
import { describeFault, type Fault, type Step } from "./fault.ts";
import { Guest } from "./guest.ts";
import { Hosts } from "./hosts.ts";
import { Journal } from "./journal.ts";
import { summarize, type Summary } from "./summary.ts";
import { Uploads } from "./uploads.ts";

/** How long everything may take to be well again after the last fault. */
const CONVERGED_WITHIN = 30_000;

/** Heartbeats quick enough that clients notice a silent node while the test waits; in milliseconds. */
const HEARTBEAT = { pingInterval: 3_000, pingTimeout: 4_000 };

const ARRIVING_AT_ONCE = 20;
const AT_A_TABLE = 10;
/** How many nodes may join in one trial. */
const MAY_JOIN = 3;

/** Before a node is stopped in a lull, nothing is under way for so long; in milliseconds. */
const LULL = 100;

const LINES_SHOWN = 400;

/** Nobody is disconnected; or nobody comes back as somebody new. */
export type Promised = "no disconnect" | "recovered";
/** Of who comes back to his socket: less than it takes until anybody gives up waiting for somebody; in milliseconds. */
const LONGEST_ABSENCE = 4_000;

export interface Setting {
  /** Makes log files tell this trial from others. */
  name: string;
  seed: number;
  nodes?: number;
  guests?: number;
  /** How long a guest is silent between two bursts of messages, at least, in milliseconds. */
  pause?: number;
  /** Nodes on hosts of their own, so that the network can be broken, or (`relayed`) be slow. */
  hosts?: "direct" | "relayed";
  program?: Program;
  /** What clients may notice; anything unless given. */
  promise?: Promised;
  /** The verdict is to be a bad one, so that it needs no account. */
  expectsFailure?: boolean;
}

/**
 * A cluster and people who chat on it, on which faults are inflicted; at the end comes the verdict: was everything that was
 * acknowledged heard once and in order, did everyone get back, do the nodes agree?
 */
export class Trial {
  readonly cluster: Cluster;
  readonly guests: Guest[] = [];
  readonly history = new History();
  readonly journal = new Journal();
  readonly #setting: Setting;
  readonly #dice: Dice;
  readonly #hosts: Hosts | undefined;
  readonly #silence = new AbortController();
  #talks: Promise<void>[] = [];
  /** Ends when people may go on to speak. */
  #lull: Promise<void> | undefined;
  #uploads: Uploads | undefined;
  #faultAt = Date.now();
  #convergedAfter: number[] = [];

  private constructor(setting: Setting, cluster: Cluster, hosts: Hosts | undefined) {
    this.#setting = setting;
    this.#dice = new Dice(setting.seed);
    this.cluster = cluster;
    this.#hosts = hosts;
  }

  /**
   * Runs these steps while people chat, waits until all is well after each group of them, and gives the verdict. When that
   * is bad it prints the seed and the merged log, and throws.
   */
  static async run(setting: Setting, groups: readonly (readonly Step[])[]): Promise<Summary> {
    const trial = await Trial.begin(setting);
    return trial.finish(async () => {
      for (const steps of groups) {
        await sleep(1_000);
        await trial.inflictAll(steps);
        await trial.recovered();
      }
    });
  }

  /** Starts the nodes, and lets guests of all transports come in by all doors and talk. */
  static async begin(setting: Setting): Promise<Trial> {
    const { nodes = 3, name, program = testbed() } = setting;
    for (let number = 1; number <= nodes + MAY_JOIN; number += 1)
      rmSync(artifactPath(`${name}-node${number}.log`), { force: true });
    const hosts = setting.hosts
      ? await Hosts.prepare({ count: nodes + MAY_JOIN, relayed: setting.hosts === "relayed" })
      : undefined;
    const cluster = await Cluster.start({
      program,
      size: nodes,
      prefix: `${name}-`,
      flags: { ...HEARTBEAT, placement: "spread", recovery: "2m" },
      ...(hosts && { place: (number) => hosts.place(number) }),
    });
    const trial = new Trial(setting, cluster, hosts);
    try {
      await trial.#gather(setting.guests ?? 60);
    } catch (error) {
      const accounted = trial.#account(error);
      await trial.#end();
      throw accounted;
    }
    return trial;
  }

  /** Inflicts what `story` inflicts, and gives the verdict. */
  async finish(story: () => Promise<void>): Promise<Summary> {
    try {
      this.#talk();
      await story();
      this.#silence.abort();
      await Promise.all(this.#talks);
      await this.#callTheRoll();
      await this.#listenedToTheEnd();
      this.history.assertClean();
      const summary = summarize(this.guests, this.history, this.#convergedAfter);
      const broken = brokenPromise(this.#setting.promise, summary);
      if (broken !== undefined) throw new Error(`${broken}: ${JSON.stringify(summary)}`);
      return summary;
    } catch (error) {
      throw this.#account(error);
    } finally {
      await this.#end();
    }
  }

  /** Inflicts these one after the other. Where recovery is promised, it is quiet until the first node has stopped. */
  async inflictAll(steps: readonly Step[]): Promise<void> {
    // A client that was told something of which no other node knows yet is somebody new when its node stops then.
    const first = steps.findIndex(({ fault }) => fault.kind === "kill" || fault.kind === "freeze");
    const quiet = this.#setting.promise === "recovered" ? first + 1 : 0;
    if (quiet > 0) await this.#inLull(() => this.#inflictEach(steps.slice(0, quiet)));
    await this.#inflictEach(steps.slice(quiet));
  }

  async #inflictEach(steps: readonly Step[]): Promise<void> {
    for (const { after, fault } of steps) {
      await sleep(after);
      await this.#inflict(fault);
    }
  }

  /** Does something while nothing is under way: nobody says anything, and all has been heard. */
  async #inLull(strike: () => Promise<void>): Promise<void> {
    const lull = (async () => {
      await until(
        "nothing is under way",
        () => this.history.outstanding === 0 && !this.guests.some((guest) => guest.isSpeaking),
      );
      await sleep(LULL);
      await strike();
    })();
    this.#lull = lull.catch(() => undefined);
    try {
      await lull;
    } finally {
      this.#lull = undefined;
    }
  }

  async #inflict(fault: Fault): Promise<void> {
    this.journal.note(describeFault(fault).toUpperCase());
    this.#faultAt = Date.now();
    switch (fault.kind) {
      case "kill":
        await this.cluster.node(fault.node).kill();
        break;
      case "start":
        this.cluster.node(fault.node).start(fault.program);
        break;
      case "freeze":
        await this.cluster.node(fault.node).child.freeze();
        break;
      case "thaw":
        this.cluster.node(fault.node).child.signal("SIGCONT");
        break;
      case "drain":
        await this.#drain(fault.node);
        break;
      case "join":
        await this.cluster.add(this.cluster.running);
        break;
      case "load":
        this.#uploads = await Uploads.begin(
          fault.rate,
          this.cluster.running.map(({ url }) => url),
        );
        break;
      case "unload":
        await this.#endUploads();
        break;
      case "replicated":
        await this.#replicated();
        break;
      default:
        if (!this.#hosts) throw new Error(`nodes on one host cannot have: ${describeFault(fault)}`);
        this.#hosts.inflict(fault);
    }
  }

  async #drain(number: number): Promise<void> {
    const node = this.cluster.node(number);
    // Before it can be reached, a process that was just started ends at a SIGTERM as any other.
    await until(`${node.name} to answer`, () => node.status(), { within: CONVERGED_WITHIN });
    const exit = await node.child.stop(35_000);
    if (exit.code !== 0) throw new Error(`a drained node exits with ${JSON.stringify(exit)}`);
  }

  async #endUploads(): Promise<void> {
    const uploads = this.#uploads;
    this.#uploads = undefined;
    if (!uploads) throw new Error("there are no uploads to end");
    this.journal.note(`uploads: ${JSON.stringify(await uploads.end())}`);
  }

  /**
   * All nodes that run see each other, and each guest has an answer to something it said since: that was held back until the standby
   * of its session had this session.
   */
  async #replicated(): Promise<void> {
    await this.cluster.settled({ within: CONVERGED_WITHIN });
    const deadline = { within: CONVERGED_WITHIN };
    // Who has yet to notice that its node is gone is not answered at the first time.
    const answered = this.guests.map((guest) =>
      until(`${guest.name} is answered`, async () => guest.present && (await guest.speak(1)), deadline),
    );
    await Promise.all(answered);
  }

  /** Waits until all guests are in their rooms and all nodes agree. */
  async recovered(): Promise<void> {
    const deadline = this.#faultAt + CONVERGED_WITHIN;
    await until("every guest is in its rooms", () => this.#allPresent(), {
      within: Math.max(0, deadline - Date.now()),
      every: 50,
    });
    await converged(this.cluster, () => this.#expected(), Math.max(1_000, deadline - Date.now()));
    this.#convergedAfter.push(Date.now() - this.#faultAt);
    this.journal.note(`ALL IS WELL after ${Date.now() - this.#faultAt} ms`);
  }

  async #gather(count: number): Promise<void> {
    const kinds = Object.keys(transports) as Transport[];
    for (let number = 0; number < count; number += 1) {
      const seat = {
        transport: kinds[number % kinds.length] ?? "upgrade",
        rooms: [`table${Math.floor(number / AT_A_TABLE)}`],
        // Not those that run: a client does not know which do.
        doors: () => this.cluster.urls,
      };
      const door = Math.floor(number / kinds.length);
      this.guests.push(new Guest(`guest${number + 1}`, seat, door, this.history, this.journal.note));
    }
    for (let first = 0; first < count; first += ARRIVING_AT_ONCE)
      await Promise.all(this.guests.slice(first, first + ARRIVING_AT_ONCE).map((guest) => guest.arrive()));
  }

  #talk(): void {
    const { pause = 400 } = this.#setting;
    this.#talks = this.guests.map((guest) =>
      guest.keepTalking(pause, this.#dice, this.#silence.signal, () => this.#lull),
    );
  }

  /** Everyone says one more thing in every room: whoever is cut off without knowing it is found out. */
  async #callTheRoll(): Promise<void> {
    const { length } = this.guests.flatMap((guest) => guest.unacknowledged);
    await Promise.all(this.guests.map((guest) => guest.speak(1)));
    const unacknowledged = this.guests.flatMap((guest) => guest.unacknowledged).slice(length);
    if (unacknowledged.length > 0) throw new Error(`nobody answers: ${unacknowledged.join("; ")}`);
  }

  async #listenedToTheEnd(): Promise<void> {
    try {
      await until("all is heard", () => this.history.outstanding === 0, { within: 10_000, every: 200 });
    } catch {
      // The history tells more about what is missing than the clock.
    }
  }

  #allPresent(): true {
    const missing = this.guests.filter((guest) => !guest.present).map((guest) => guest.name);
    if (missing.length > 0) throw new Error(`missing: ${missing.join(" ")}`);
    return true;
  }

  #expected(): Expected {
    return {
      clients: this.guests.length,
      webSockets: this.guests.filter((guest) => guest.transport === "websocket").length,
      abandoned: this.guests.reduce((sum, guest) => sum + guest.abandoned, 0),
    };
  }

  /** The error, with all that one needs to find out what happened. */
  #account(error: unknown): Error {
    const { seed, name, expectsFailure } = this.#setting;
    const message = error instanceof Error ? error.message : String(error);
    const failure = new Error(`trial "${name}", seed ${seed}: ${message}`, { cause: error });
    if (expectsFailure) return failure;
    const logs = this.cluster.nodes.map((node) => node.child.logPath);
    const merged = this.journal.mergedWith(logs);
    const file = artifactPath(`${name}-merged.log`);
    writeFileSync(file, merged.join("\n"));
    console.error(`\n--- trial "${name}" failed; seed ${seed}; the merged log (whole: ${file})`);
    for (const line of merged.slice(-LINES_SHOWN)) console.error(`  ${line}`);
    return failure;
  }

  async #end(): Promise<void> {
    this.#silence.abort();
    closeClients();
    await this.#uploads?.abandon();
    await Promise.all(this.#talks);
    await this.cluster.destroy();
    this.#hosts?.remove();
  }
}

function brokenPromise(promise: Promised | undefined, summary: Summary): string | undefined {
  if (promise === "no disconnect" && summary.disconnects > 0) return "clients were disconnected";
  if (promise !== undefined && summary.reborn > 0) return "clients came back as somebody new";
  if (promise !== undefined && summary.longestAbsence > LONGEST_ABSENCE) return "clients were away for long";
  return undefined;
}
