import assert from "node:assert/strict";
import type { PollingSession } from "../harness/engine.ts";
import { UpgradeRefused, type RawWebSocket } from "../harness/websocket.ts";
import { until } from "../harness/wait.ts";

export const TRANSPORT_UNKNOWN = '{"code":0,"message":"Transport unknown"}';
export const SESSION_UNKNOWN = '{"code":1,"message":"Session ID unknown"}';
export const BAD_HANDSHAKE_METHOD = '{"code":2,"message":"Bad handshake method"}';
export const BAD_REQUEST = '{"code":3,"message":"Bad request"}';
export const UNSUPPORTED_VERSION = '{"code":5,"message":"Unsupported protocol version"}';

/** The echoing server still serves this polling session. */
export async function assertAlive(session: PollingSession): Promise<void> {
  const answer = await session.push("4still here");
  assert.deepEqual([answer.status, answer.text], [200, "ok"]);
  assert.deepEqual(await session.take(1), ["4still here"]);
}

/** The same for a WebSocket that carries a session of the echoing server. */
export async function assertAliveOn(socket: RawWebSocket): Promise<void> {
  socket.send("4still here");
  assert.equal(await socket.next(), "4still here");
}

/**
 * The server has forgotten the session. Looks by POST, because a second poll would itself close a session, and with a
 * noop, because an echo would answer a poll whose end the server has yet to notice.
 */
export async function assertForgotten(session: PollingSession): Promise<void> {
  await until(
    `session ${session.sid} unknown`,
    async () => (await session.push("6")).text === SESSION_UNKNOWN,
  );
  const answer = await session.poll();
  assert.deepEqual([answer.status, answer.text], [400, SESSION_UNKNOWN]);
}

/** For `assert.rejects`: the upgrade was answered with this HTTP status. */
export function refusedWith(status: number) {
  return (error: unknown): boolean => error instanceof UpgradeRefused && error.status === status;
}

/** What the specification allows for a WebSocket that must not be: the upgrade is refused, or the socket closed. */
export async function assertRefusedOrClosed(opening: Promise<RawWebSocket>): Promise<void> {
  try {
    using socket = await opening;
    await socket.isClosed();
  } catch (error) {
    if (!refusedWith(400)(error)) throw error;
  }
}
