/** The way of an own message: from the draft through the outbox to the room. */

import type { Message, Quote } from "../protocol";
import { byteLength } from "../text/bytes";
import { summary } from "../text/summary";
import { arrived } from "./arriving";
import { attachmentsOf, forgotten } from "./attaching";
import type { Command, SendAnswer, Step } from "./events";
import { toNewest } from "./loading";
import { type Chatting, type Room, TYPING_EVERY } from "./model";
import {
  afterResult,
  nextToSend,
  OUTBOX_LIMIT,
  type Outgoing,
  withDelivery,
  withoutOutgoing,
} from "./outbox";
import { findRoom, inRoom, inTurn, isReady, unchanged, withToast } from "./within";

interface Written {
  readonly room: string;
  readonly text: string;
  readonly kind: "text" | "action";
  readonly id: string;
  readonly at: number;
}

/** Puts into the outbox what was written, or asks for the edit that it is. What cannot be sent stays in the composer. */
export function send(state: Chatting, written: Written): Step<Chatting> {
  const room = findRoom(state, written.room);
  if (room === undefined) return unchanged(state);
  const excess = byteLength(written.text) - state.limits.messageBytes;
  if (excess > 0) return unchanged(withToast(state, `This message is ${excess} bytes too long.`));
  if (room.composing.is === "edit") {
    return written.text === "" ? unchanged(state) : edit(state, room, room.composing, written.text);
  }
  const attachments = attachmentsOf(room.uploads);
  if (attachments === null) {
    return unchanged(withToast(state, "Not all files are uploaded yet. Wait for them, or remove them."));
  }
  if (written.text === "" && attachments.length === 0) return unchanged(state);
  if (room.outbox.length >= OUTBOX_LIMIT) {
    return unchanged(withToast(state, `${OUTBOX_LIMIT} messages of this room still wait to be sent.`));
  }
  const outgoing: Outgoing = {
    id: written.id,
    text: written.text,
    kind: written.kind,
    replyTo: room.composing.is === "reply" ? quoteOf(room.composing.to) : null,
    attachments,
    at: written.at,
    delivery: { is: "waiting" },
  };
  const queued = inRoom(state, written.room, (writing) => ({
    ...writing,
    draft: "",
    uploads: [],
    composing: { is: "new" },
    outbox: [...writing.outbox, outgoing],
    newFrom: null,
    toldTyping: 0,
  }));
  return inTurn(
    queued,
    (now) => ({ state: now, commands: forgotten(room.uploads) }),
    (now) => flush(now, written.room),
    (now) => toNewest(now, written.room),
  );
}

function edit(
  state: Chatting,
  { membership: { room: id } }: Room,
  { message, draft }: { message: Message; draft: string },
  text: string,
): Step<Chatting> {
  const left = inRoom(state, id, (room) => ({ ...room, composing: { is: "new" }, draft }));
  if (text === message.text) return unchanged(left);
  return { state: left, commands: [{ type: "edit", room: id, number: message.number, text }] };
}

/** Shown until the server's own quote comes, in UTF-16 code units. */
const QUOTED = 120;

function quoteOf(message: Message): Quote {
  return { number: message.number, author: message.author.name, text: summary(message).slice(0, QUOTED) };
}

export function retry(state: Chatting, id: string, message: string): Step<Chatting> {
  const waiting = inRoom(state, id, (room) => ({
    ...room,
    outbox: withDelivery(room.outbox, message, { is: "waiting" }),
  }));
  return flush(waiting, id);
}

export function discard(state: Chatting, id: string, message: string): Step<Chatting> {
  const gone = inRoom(state, id, (room) => ({ ...room, outbox: withoutOutgoing(room.outbox, message) }));
  return flush(gone, id);
}

/** Hands the next message of a room to the connection, if it can take one. */
export function flush(state: Chatting, id: string): Step<Chatting> {
  const next = isReady(state) ? nextToSend(findRoom(state, id)?.outbox ?? []) : null;
  if (next === null) return unchanged(state);
  const sending = inRoom(state, id, (room) => ({
    ...room,
    outbox: withDelivery(room.outbox, next.id, { is: "sending" }),
  }));
  return { state: sending, commands: [{ type: "send", room: id, outgoing: next }] };
}

export function flushAll(state: Chatting): Step<Chatting> {
  return inTurn(
    state,
    ...state.rooms.map(
      ({ membership }) =>
        (at: Chatting) =>
          flush(at, membership.room),
    ),
  );
}

/** A stored message is shown from the answer: its publication may come later, or beyond a hole. */
export function afterSend(
  state: Chatting,
  id: string,
  message: string,
  result: SendAnswer,
  now: number,
): Step<Chatting> {
  const outgoing = findRoom(state, id)?.outbox.find((other) => other.id === message);
  if (outgoing === undefined) return flush(state, id);
  const answered = inRoom(state, id, (room) => ({
    ...room,
    outbox: afterResult(room.outbox, message, result, now),
  }));
  const stored = result.is === "stored" ? storedMessage(state, id, outgoing, result) : null;
  return inTurn(
    answered,
    (at) => (stored === null ? unchanged(at) : arrived(at, stored)),
    (at) => flush(at, id),
  );
}

function storedMessage(
  { person }: Chatting,
  room: string,
  { id, text, kind, replyTo, attachments }: Outgoing,
  { number, time }: { number: number; time: number },
): Message {
  return {
    room,
    number,
    id,
    time,
    author: person,
    text,
    kind,
    ...(replyTo && { replyTo }),
    ...(attachments.length > 0 && { attachments }),
  };
}

/** Others are told now and then that somebody types, but not what is a command, and not while a message is edited. */
export function draftChanged(state: Chatting, id: string, draft: string, at: number): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined) return unchanged(state);
  const tells =
    isReady(state) &&
    room.composing.is !== "edit" &&
    draft.trim() !== "" &&
    !draft.startsWith("/") &&
    at - room.toldTyping >= TYPING_EVERY;
  const commands: Command[] = tells ? [{ type: "tell typing", room: id }] : [];
  const typed = inRoom(state, id, (typing) => ({
    ...typing,
    draft,
    toldTyping: tells ? at : typing.toldTyping,
  }));
  return { state: typed, commands };
}
