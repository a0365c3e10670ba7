/**
 * The testbed's behaviour on the stock Node.js server, taking the testbed's flags. The protocol tests run against
 * it too (`npm run test:reference`), which shows that they ask for what the protocol says and not for what Hither does.
 */
import http from "node:http";
import { parseArgs } from "node:util";
import { Server as EngineServer, type ServerOptions, type Socket as EngineSocket } from "engine.io";
import { Server as SocketServer, type Socket } from "socket.io";
import { chosenFault } from "./faults.ts";

const { values: flags } = parseArgs({
  options: {
    name: { type: "string", default: "reference" },
    http: { type: "string", default: "127.0.0.1:0" },
    admin: { type: "string", default: "127.0.0.1:0" },
    "ping-interval": { type: "string", default: "25000" },
    "ping-timeout": { type: "string", default: "20000" },
    "connect-timeout": { type: "string", default: "45000" },
    "max-payload": { type: "string", default: "1000000" },
    "cors-origin": { type: "string" },
    "cors-credentials": { type: "boolean", default: false },
    // Of no meaning to a server that is alone.
    cluster: { type: "string" },
    "leave-grace": { type: "string" },
    "no-client-bundle": { type: "boolean" },
    "no-jsonp": { type: "boolean" },
    placement: { type: "string" },
    seed: { type: "string", multiple: true },
  },
});

const fault = chosenFault();

const origin = flags["cors-origin"];
const options: ServerOptions & { connectTimeout: number } = {
  pingInterval: Number(flags["ping-interval"]),
  pingTimeout: Number(flags["ping-timeout"]),
  maxHttpBufferSize: Number(flags["max-payload"]),
  ...(origin === undefined ? {} : { cors: { origin, credentials: flags["cors-credentials"] } }),
  connectTimeout: Number(flags["connect-timeout"]),
  ...fault?.options,
};

const server = http.createServer((request, response) => {
  if (request.url === "/health") response.end("ok");
  else response.writeHead(404).end();
});
const admin = http.createServer((request, response) => {
  const members = [{ name: flags.name, phase: "up", shards: 1024 }];
  if (request.url === "/status") response.end(JSON.stringify({ node: flags.name, phase: "up", members }));
  else response.writeHead(404).end();
});

const engine = new EngineServer(options);
engine.attach(server, { path: "/engine.io/", destroyUpgrade: false });
engine.on("connection", (socket: EngineSocket) => {
  fault?.session?.(socket);
  socket.on("data", (data: string | Buffer) => {
    socket.send(data);
  });
});

const io = new SocketServer(server, {
  ...options,
  destroyUpgrade: false,
});
for (const namespace of ["/", "/custom"]) io.of(namespace).on("connection", serve);

type Ack = (...args: unknown[]) => void;

function serve(socket: Socket): void {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args: unknown[]) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args: unknown[]) => {
    (args.pop() as Ack)(...args);
  });
  socket.on("echo", (payload: unknown, ack: Ack) => {
    ack(payload);
  });
  // Asks the client in turn, and answers with what it answers.
  socket.on("ask", (ack: Ack) => {
    socket.emit("question", "why?", Buffer.from([1, 2, 3]), ack);
  });
  // A number names a room like its text.
  socket.on("join", (room: string | number, ack: Ack) => {
    void socket.join(String(room));
    ack();
  });
  socket.on("leave", (room: string | number, ack: Ack) => {
    void socket.leave(String(room));
    ack();
  });
  socket.on("publish", (room: string | number, payload: unknown, ack: Ack) => {
    const deliveries = fault?.publish?.({ room, payload }) ?? [{ room, payload }];
    for (const delivery of deliveries)
      socket.nsp.to(String(delivery.room)).emit("message", delivery.room, delivery.payload);
    ack();
  });
}

const { exchange } = fault ?? {};
if (exchange) tamperWith(server, exchange);

/** Puts the fault in front of whoever listens for requests. */
function tamperWith(tampered: http.Server, tamper: NonNullable<typeof exchange>): void {
  const listeners = tampered.listeners("request");
  tampered.removeAllListeners("request");
  tampered.on("request", (request, response) => {
    if (tamper(request, response)) return;
    for (const listener of listeners) listener.call(tampered, request, response);
  });
}

const [host, port] = flags.http.split(":");
server.listen(Number(port), host);
const [adminHost, adminPort] = flags.admin.split(":");
admin.listen(Number(adminPort), adminHost);
