import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { artifactPath, repositoryRoot } from "./artifacts.ts";
import { Child } from "./child.ts";
import { send } from "./http.ts";
import { freePort } from "./ports.ts";
import { inTurn, Scatter, type Order } from "./scatter.ts";
import { until } from "./wait.ts";

/** What stands between clients and nodes. */
export interface Balancer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A balancer that logs what it answered. */
export interface LoggingBalancer extends Balancer {
  /** The lines of its log about answers of 500 and more. */
  serverErrors(): string[];
}

/** Starts a balancer before these nodes, which are three at most, given by their URLs. */
export type StartBalancer = (nodes: readonly string[]) => Promise<Balancer>;

export type StartLoggingBalancer = (nodes: readonly string[]) => Promise<LoggingBalancer>;

export function scatter(order: Order = inTurn()): StartBalancer {
  return (nodes) => Scatter.start(() => nodes, order);
}

/** nginx with the file in `deploy/`. */
export const nginx: StartLoggingBalancer = async (nodes) => {
  const { port, file } = await configure("nginx.conf", nodes);
  // Not among the artifacts: nginx makes folders there for a user of its own.
  const prefix = mkdtempSync(path.join(tmpdir(), "hither-nginx-"));
  const balancer = await front("nginx", ["-p", prefix, "-c", file, "-e", "stderr"], port);
  return {
    ...balancer,
    serverErrors: () => linesWith(path.join(prefix, "access.log"), /" 5\d\d /),
  };
};

/** HAProxy with the file in `deploy/`. */
export const haproxy: StartLoggingBalancer = async (nodes) => {
  const { port, file } = await configure("haproxy.cfg", nodes);
  // Its log goes on where that of an earlier run ended.
  const earlier = existsSync(artifactPath("haproxy.log")) ? statSync(artifactPath("haproxy.log")).size : 0;
  const balancer = await front("haproxy", ["-db", "-f", file], port);
  return {
    ...balancer,
    // A status comes after the times that the request took in each part.
    serverErrors: () => linesWith(balancer.logPath, /(\/[-+\d]+){4} 5\d\d /, earlier),
  };
};

function linesWith(file: string, pattern: RegExp, from = 0): string[] {
  return readFileSync(file)
    .subarray(from)
    .toString()
    .split("\n")
    .filter((line) => pattern.test(line));
}

/** The deployed file, with the ports of this test in place of its own. */
async function configure(name: string, nodes: readonly string[]): Promise<{ port: number; file: string }> {
  const port = await freePort();
  const addresses = [0, 1, 2].map((index) => new URL(nodes[index % nodes.length] ?? "").host);
  let text = readFileSync(path.join(repositoryRoot, "deploy", name), "utf8");
  for (const [deployed, address] of [
    ["127.0.0.1:9000", `127.0.0.1:${port}`] as const,
    ...addresses.map((address, index) => [`127.0.0.1:${9001 + index}`, address] as const),
  ]) {
    if (!text.includes(deployed)) throw new Error(`deploy/${name} does not mention ${deployed}`);
    text = text.replaceAll(deployed, address);
  }
  const file = artifactPath(name);
  writeFileSync(file, text);
  return { port, file };
}

async function front(
  program: string,
  args: readonly string[],
  port: number,
): Promise<Balancer & { logPath: string }> {
  const command = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
    .map((folder) => path.join(folder, program))
    .find(existsSync);
  if (command === undefined) throw new Error(`${program} is not installed: apt-get install ${program}`);
  const child = new Child(program, { program: command, args });
  const url = `http://127.0.0.1:${port}`;
  await until(`${program} passes requests on`, async () => (await send(`${url}/health`)).status === 200, {
    within: 30_000,
  });
  return {
    url,
    logPath: child.logPath,
    stop: async () => {
      await child.stop();
    },
  };
}
