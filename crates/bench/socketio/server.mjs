// What the testbed of Hither does for the benchmarks, on socket.io: `node server.mjs --port 3000 [--redis 6379]`. The Redis
// port makes it one of several processes that share rooms.

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const { values: flags } = parseArgs({ options: { port: { type: "string" }, redis: { type: "string" } } });

const options = { serveClient: false, perMessageDeflate: false };
if (flags.redis !== undefined) {
  const publisher = createClient({ url: `redis://127.0.0.1:${flags.redis}` });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  options.adapter = createAdapter(publisher, subscriber);
}

const server = createServer();
const io = new Server(server, options);
io.on("connection", (socket) => {
  socket.on("echo", (text, ack) => ack(text));
  socket.on("message", (text) => socket.emit("message-back", text));
  socket.on("join", async (room, ack) => {
    await socket.join(room);
    ack();
  });
  socket.on("publish", (room, text, ack) => {
    io.to(room).emit("message", room, text);
    ack();
  });
  // Last: it tells the client that the handlers are there.
  socket.emit("auth", {});
});
server.listen(Number(flags.port), "127.0.0.1");
