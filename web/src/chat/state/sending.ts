/** The way of an own message: from the draft through the outbox to the room. */

import { byteLength } from "../text/bytes";
import type { Command, Outcome, Step } from "./events";
import { type Chatting, OUTBOX_LIMIT, type Outgoing } from "./model";
import { deliveryAfter, withDelivery } from "./outbox";
import { findRoom, inOutbox, inRoom, isOnline, unchanged, withToast } from "./within";

export function send(state: Chatting, name: string, at: number): Step {
  const room = findRoom(state, name);
  const text = room?.draft.trim() ?? "";
  if (room === undefined || text === "") return unchanged(state);
  if (byteLength(text) > state.messageLimit) {
    return unchanged(withToast(state, `Too long: a message may have ${state.messageLimit} bytes.`));
  }
  if (room.outbox.length >= OUTBOX_LIMIT) {
    return unchanged(withToast(state, `${OUTBOX_LIMIT} messages are still waiting to be sent.`));
  }
  const outgoing: Outgoing = { id: state.nextId, at, text, delivery: { is: "waiting" } };
  const written = inRoom({ ...state, nextId: state.nextId + 1 }, name, (writing) => ({
    ...writing,
    draft: "",
    outbox: [...writing.outbox, outgoing],
    newFrom: null,
  }));
  return flush(written, [name]);
}

export function retry(state: Chatting, name: string, id: number): Step {
  return flush(
    inOutbox(state, name, (outbox) => withDelivery(outbox, id, { is: "waiting" })),
    [name],
  );
}

/** Hands what waits in these rooms to the connection, as far as they can take it. */
export function flush(state: Chatting, names: readonly string[]): Step<Chatting> {
  if (!isOnline(state)) return unchanged(state);
  const commands: Command[] = [];
  const rooms = state.rooms.map((room) => {
    if (!names.includes(room.name) || room.membership.is !== "joined") return room;
    const outbox = room.outbox.map((outgoing): Outgoing => {
      if (outgoing.delivery.is !== "waiting") return outgoing;
      commands.push({ type: "send", room: room.name, id: outgoing.id, text: outgoing.text });
      return { ...outgoing, delivery: { is: "sending" } };
    });
    return { ...room, outbox };
  });
  return { state: { ...state, rooms }, commands };
}

export function afterSend(state: Chatting, name: string, id: number, outcome: Outcome): Chatting {
  const answered = inOutbox(state, name, (outbox) => withDelivery(outbox, id, deliveryAfter(outcome)));
  return outcome.is === "refused" ? withToast(answered, outcome.problem) : answered;
}
