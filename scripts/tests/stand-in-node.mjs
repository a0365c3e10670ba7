#!/usr/bin/env node
// Stands in for `hither node` where only its life as a process matters: it takes the same flags, binds the same ports,
// and answers /health and /status. Some flags of its own make it misbehave.

import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string" },
    http: { type: "string" },
    admin: { type: "string" },
    "public-status": { type: "boolean" },
    cluster: { type: "string" },
    front: { type: "string" },
    seed: { type: "string", multiple: true },
    "secret-file": { type: "string" },
    store: { type: "string" },
    guests: { type: "boolean" },
    "sign-in-limit": { type: "string" },
    "trust-proxy": { type: "string" },
    "dies-saying": { type: "string" },
    "never-healthy": { type: "boolean" },
    "ignores-sigterm": { type: "boolean" },
    "leave-timeout": { type: "string" },
    "leaves-with": { type: "string", default: "0" },
    "always-moving": { type: "boolean" },
  },
});

const address = (text) => {
  const { hostname, port } = new URL(`tcp://${text}`);
  return { host: hostname, port: Number(port) };
};
const log = (text) => console.log(`${flags.name} ${text}`);

/** The name of the node with that cluster address, if it is there. Its HTTP port is as far from ours. */
const nameOf = async (seed) => {
  const away = address(seed).port - address(flags.cluster).port;
  const { host, port } = address(flags.http);
  const answer = await fetch(`http://${host}:${port + away}/health`).catch(() => undefined);
  return answer?.ok ? answer.text() : undefined;
};

const status = async () => {
  const others = await Promise.all((flags.seed ?? []).map(nameOf));
  const members = [flags.name, ...others.filter(Boolean)].map((name) => ({ name, phase: "up" }));
  const sessions = { owned: 0, moving: flags["always-moving"] ? 1 : 0 };
  return JSON.stringify({ node: flags.name, phase: "up", members, sessions });
};

const answer = async (request, response) => {
  if (request.url === "/health") response.writeHead(flags["never-healthy"] ? 503 : 200).end(flags.name);
  else response.writeHead(200, { "content-type": "application/json" }).end(await status());
};

/** One of the nodes gets the port; when it goes, another takes it. */
const listenOnFront = () => {
  const front = createHttpServer((_, response) => response.end(flags.name));
  front.on("error", () => setTimeout(listenOnFront, 50));
  front.listen(address(flags.front));
};

if (flags["dies-saying"]) {
  log(flags["dies-saying"]);
  process.exit(1);
}
process.on("SIGTERM", () => {
  if (flags["ignores-sigterm"]) return log("does not feel like it");
  log("has left");
  process.exit(Number(flags["leaves-with"]));
});
if (flags.front) listenOnFront();
createTcpServer().listen(address(flags.cluster));
createSocket("udp4").bind({ address: address(flags.cluster).host, port: address(flags.cluster).port });
createHttpServer(answer).listen(address(flags.admin), () =>
  createHttpServer(answer).listen(address(flags.http), () => log("is up")),
);
