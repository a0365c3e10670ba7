/** What is made good when the connection is there again. */

import type { Placement, Transport } from "../protocol";
import type { Command, ConnectionEvent, Step } from "./events";
import type { Chatting, Online } from "./model";
import { withSessionLost } from "./room";
import { flush } from "./sending";
import { arriving } from "./within";

type Connected = Extract<ConnectionEvent, { type: "connected" }>;

/** The server has forgotten us, or never knew us: every room is joined again. */
export function afterNewSession(state: Chatting, event: Connected): Step {
  const online: Chatting = { ...state, connection: onlineAfter(event), leftUnheard: [] };
  const rejoining = state.rooms.reduce<Chatting>(
    (now, { name }) => arriving(now, name, event.at, (room, arrival) => withSessionLost(room, arrival)),
    online,
  );
  const joins = state.rooms.map(({ name }): Command => ({ type: "join", room: name }));
  return { state: rejoining, commands: [...joins, { type: "list rooms" }] };
}

/** The session goes on where it was; only what crossed with the break is made good. */
export function afterRecovery(state: Chatting, event: Connected): Step {
  const online: Chatting = { ...state, connection: onlineAfter(event), leftUnheard: [] };
  const leaves = state.leftUnheard.map((room): Command => ({ type: "leave", room }));
  const rejoins = state.rooms
    .filter(({ membership }) => membership.is === "joining")
    .map(({ name }): Command => ({ type: "rejoin", room: name }));
  const flushed = flush(
    online,
    state.rooms.map(({ name }) => name),
  );
  return {
    state: flushed.state,
    commands: [...leaves, ...rejoins, ...flushed.commands, { type: "list rooms" }],
  };
}

function onlineAfter({ socketId, transport }: Connected): Online {
  return { is: "online", socketId, transport, placement: null };
}

export function whileOnline(
  state: Chatting,
  change: { transport: Transport } | { placement: Placement },
): Chatting {
  return state.connection.is === "online"
    ? { ...state, connection: { ...state.connection, ...change } }
    : state;
}
