// A cluster.sh of its own for each test: own run directory, own ports, everything ended afterwards.

import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, realpath, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const root = path.resolve(import.meta.dirname, "../..");
export const standIn = path.join(import.meta.dirname, "stand-in-node.mjs");

/**
 * Below the ports that the kernel hands out by itself, so that nobody takes one between the check and its use. Each process has a
 * range of its own, which it claims by listening at its first port for as long as it lives: what one test has drawn and not
 * bound yet is not drawn by another.
 */
const LOWEST_PORT = 12_000;
const RANGE = 1_000;
const RANGES = 20;
/** How many consecutive ports a cluster in a test may use: the front and its nodes. */
const BLOCK = 8;

/** Waits until `condition` gives something truthy, and returns that. */
export const until = async (what, condition, seconds = 15) => {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`);
    await pause(50);
  }
};

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => {
      const socket = createSocket("udp4").once("error", () => server.close(() => resolve(false)));
      socket.bind(port, "127.0.0.1", () => socket.close(() => server.close(() => resolve(true))));
    });
  });

/** The first port of the range of this process. */
const claimRange = async () => {
  for (let tries = 0; tries < RANGES; tries++) {
    const first = LOWEST_PORT + ((process.pid + tries) % RANGES) * RANGE;
    const claim = createServer();
    const claimed = await new Promise((resolve) => {
      claim.once("error", () => resolve(false)).listen(first, "127.0.0.1", () => resolve(true));
    });
    // It ends with the process, which it does not keep.
    if (claimed) return claim.unref() && first;
  }
  throw new Error("every range of ports is claimed by another process");
};

let claimed;
let drawn = 0;

/** The first of some consecutive free ports, none of which was drawn shortly before. */
export const freePorts = async (count = BLOCK) => {
  const start = await (claimed ??= claimRange());
  for (let tries = 0; tries < RANGE; tries++) {
    if (drawn + count >= RANGE) drawn = 0;
    const first = start + 1 + drawn;
    drawn += count;
    const ports = Array.from({ length: count }, (_, offset) => first + offset);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new Error(`there are no ${count} free ports in a row from ${start} on`);
};

/** The processes that work in `directory`: all that a cluster.sh with that run directory has started. */
export const processesIn = async (directory) => {
  const found = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const workingDirectory = await realpath(`/proc/${pid}/cwd`).catch(() => undefined);
    if (workingDirectory === directory) found.push(Number(pid));
  }
  return found;
};

/** The programs of any Linux that the scripts count on. */
export const BASICS =
  "bash cat chmod dirname env flock grep head mkdir mv od realpath rm sed sleep sort tail timeout touch tr xargs".split(
    " ",
  );

/** A PATH that leads to these programs and no others. */
export const pathWith = async (t, programs) => {
  const bin = await mkdtemp(path.join(await realpath(tmpdir()), "hither-bin-"));
  t.after(() => rm(bin, { recursive: true }));
  for (const name of programs) {
    const candidates = process.env.PATH.split(":").map((directory) => path.join(directory, name));
    await symlink(candidates.find(existsSync), path.join(bin, name));
  }
  return bin;
};

export class Cluster {
  /** A cluster for one test; `t` ends it. `script` is the cluster.sh to use, `env` adds to the environment. */
  static async create(
    t,
    { script = path.join(root, "scripts/cluster.sh"), env = { HITHER_BINARY: standIn } } = {},
  ) {
    const run = await mkdtemp(path.join(await realpath(tmpdir()), "hither-run-"));
    const http = await freePorts();
    const admin = await freePorts();
    const cluster = await freePorts();
    const self = new Cluster(script, run, http, admin, cluster, {
      HITHER_RUN_DIR: run,
      HITHER_FRONT_PORT: String(http),
      HITHER_HTTP_BASE: String(http),
      HITHER_ADMIN_BASE: String(admin),
      HITHER_CLUSTER_BASE: String(cluster),
      HITHER_STOP_SECONDS: "5",
      ...env,
    });
    t.after(async () => {
      const stopped = await self.try("stop");
      const left = await processesIn(run);
      for (const pid of left) process.kill(pid, "SIGKILL");
      await rm(run, { recursive: true });
      if (stopped.code !== 0) throw new Error(`stop failed: ${stopped.stderr}`);
      if (left.length > 0) throw new Error(`stop left processes behind: ${left}`);
    });
    return self;
  }

  constructor(script, run, http, admin, cluster, env) {
    Object.assign(this, { script, run, http, admin, cluster, env });
  }

  /** Runs a command of cluster.sh to its end. */
  try(...args) {
    return new Promise((resolve) => {
      const env = { ...process.env, ...this.env };
      execFile(this.script, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ code: error ? error.code : 0, stdout, stderr });
      });
    });
  }

  /** The same, for a command that must succeed. */
  async do(...args) {
    const result = await this.try(...args);
    if (result.code !== 0) throw new Error(`cluster.sh ${args.join(" ")} failed: ${result.stderr}`);
    return result.stdout;
  }

  url(node) {
    return `http://127.0.0.1:${this.http + node}`;
  }

  get frontUrl() {
    return this.url(0);
  }

  /** The pid on record for `node1`, `front` and the like. */
  async pid(name) {
    const record = path.join(this.run, "pids", name);
    return existsSync(record) ? Number((await readFile(record, "utf8")).split(" ")[0]) : undefined;
  }

  pids(...names) {
    return Promise.all(names.map((name) => this.pid(name)));
  }

  /** The arguments that a node was started with. */
  async argumentsOf(node) {
    return (await readFile(path.join(this.run, "nodes", `node${node}`), "utf8")).trim().split("\n");
  }

  async seedsOf(node) {
    const words = await this.argumentsOf(node);
    return words.filter((_, index) => words[index - 1] === "--seed");
  }
}

export const isHealthy = (url) =>
  fetch(`${url}/health`).then(
    (response) => response.ok,
    () => false,
  );
