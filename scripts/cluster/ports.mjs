// Prints which of the given ports (tcp:9001 udp:7001 ...) on 127.0.0.1 another program has, one a line.
// Binding is the only test that holds for UDP too.

import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const HOST = "127.0.0.1";

const listenTcp = (port, settle) => {
  const server = createServer();
  server.once("error", settle);
  server.listen({ host: HOST, port, exclusive: true }, () => server.close(settle));
};

const bindUdp = (port, settle) => {
  const socket = createSocket("udp4");
  socket.once("error", settle);
  socket.bind({ address: HOST, port, exclusive: true }, () => socket.close(settle));
};

const isTaken = (wanted) => {
  const [protocol, port] = wanted.split(":");
  const occupy = { tcp: listenTcp, udp: bindUdp }[protocol];
  return new Promise((resolve, reject) => {
    occupy(Number(port), (error) => {
      if (!error) resolve(false);
      else if (error.code === "EADDRINUSE") resolve(true);
      else reject(error);
    });
  });
};

for (const wanted of process.argv.slice(2)) {
  if (await isTaken(wanted)) console.log(wanted);
}
