#!/usr/bin/env node
// Stands in for `hither node` where only its life as a process matters: it takes the same flags, binds the same ports,
// and answers /health and /status. Three flags of its own make it misbehave.

import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string" },
    http: { type: "string" },
    cluster: { type: "string" },
    front: { type: "string" },
    seed: { type: "string", multiple: true },
    "secret-file": { type: "string" },
    "dies-saying": { type: "string" },
    "never-healthy": { type: "boolean" },
    "ignores-sigterm": { type: "boolean" },
  },
});

const address = (text) => {
  const { hostname, port } = new URL(`tcp://${text}`);
  return { host: hostname, port: Number(port) };
};
const log = (text) => console.log(`${flags.name} ${text}`);

const status = { node: flags.name, phase: "up", members: [{ name: flags.name, phase: "up" }], sessions: 0 };
const web = createHttpServer((request, response) => {
  if (request.url === "/health") response.writeHead(flags["never-healthy"] ? 503 : 200).end();
  else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(status));
});

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
if (flags["ignores-sigterm"]) process.on("SIGTERM", () => log("does not feel like it"));
if (flags.front) listenOnFront();
createTcpServer().listen(address(flags.cluster));
createSocket("udp4").bind({ address: address(flags.cluster).host, port: address(flags.cluster).port });
web.listen(address(flags.http), () => log("is up"));
