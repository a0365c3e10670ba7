import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
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

/** Starts a balancer before these nodes, which are three at most, given by their URLs. */
export type StartBalancer = (nodes: readonly string[]) => Promise<Balancer>;

export function scatter(order: Order = inTurn()): StartBalancer {
  return (nodes) => Scatter.start(() => nodes, order);
}

/** nginx with the file in `deploy/`. */
export const nginx: StartBalancer = async (nodes) => {
  const { port, file } = await configure("nginx.conf", nodes);
  // Not among the artifacts: nginx makes folders there for a user of its own.
  const prefix = mkdtempSync(path.join(tmpdir(), "hither-nginx-"));
  return front("nginx", ["-p", prefix, "-c", file, "-e", "stderr"], port);
};

/** HAProxy with the file in `deploy/`. */
export const haproxy: StartBalancer = async (nodes) => {
  const { port, file } = await configure("haproxy.cfg", nodes);
  return front("haproxy", ["-db", "-f", file], port);
};

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

async function front(program: string, args: readonly string[], port: number): Promise<Balancer> {
  const command = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
    .map((folder) => path.join(folder, program))
    .find(existsSync);
  if (command === undefined) throw new Error(`${program} is not installed: apt-get install ${program}`);
  const child = new Child(program, { program: command, args });
  const url = `http://127.0.0.1:${port}`;
  await until(`${program} passes requests on`, async () => (await send(`${url}/health`)).status === 200);
  return {
    url,
    stop: async () => {
      await child.stop();
    },
  };
}
