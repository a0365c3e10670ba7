import { EngineSocket } from "./engine.ts";
import type { RawWebSocket } from "./websocket.ts";

/** A WebSocket that is connected to a namespace, past the CONNECT and the testbed's `auth` event. */
export async function connectRaw(base: string, namespace = "/"): Promise<EngineSocket> {
  const socket = await EngineSocket.start(base);
  await connectNamespace(socket, namespace);
  return socket;
}

/** CONNECT to a namespace; gives the socket id. */
export async function connectNamespace(socket: RawWebSocket, namespace: string): Promise<string> {
  const path = namespace === "/" ? "" : `${namespace},`;
  socket.send(`40${path}`);
  const [accepted, auth] = await socket.take(2);
  if (typeof accepted !== "string" || !accepted.startsWith(`40${path}{`)) {
    throw new Error(`CONNECT to ${namespace} was answered with ${String(accepted)}`);
  }
  if (auth !== `42${path}["auth",{}]`) throw new Error(`instead of the auth event came ${String(auth)}`);
  const { sid } = JSON.parse(accepted.slice(2 + path.length)) as { sid: string };
  return sid;
}
