import type { Message } from "../protocol";
import { sameName } from "../text/mentions";
import { arrived, changed, readTold, seeing, tellRead } from "./arriving";
import { attach, removeUpload, retryUpload, startUploads, uploadEnded, withProgress } from "./attaching";
import type { Event, Step } from "./events";
import {
  afterChanges,
  afterLoadFailed,
  afterPage,
  askForChanges,
  ensureLoaded,
  jump,
  jumpToDate,
  loadNewer,
  loadOlder,
  toNewest,
} from "./loading";
import { type Chatting, LONG_OFFLINE, type Room } from "./model";
import { afterDisconnect, afterTime } from "./outbox";
import {
  attend,
  listMoreMembers,
  listMorePersons,
  membersChanged,
  membersListed,
  openNeighbour,
  openRoom,
  presenceTold,
  renewPresence,
  roomJoined,
  roomLeft,
  typingOver,
  typingTold,
  welcomed,
} from "./rooms";
import { afterSend, discard, draftChanged, flushAll, retry, send } from "./sending";
import { findRoom, inEveryRoom, inRoom, inTurn, unchanged, withToast } from "./within";

/** What an event comes to while somebody is signed in. */
export function whileChatting(state: Chatting, event: Event): Step<Chatting> {
  switch (event.type) {
    case "open room":
      return openRoom(state, event.room);
    case "open neighbour":
      return openNeighbour(state, event.step);
    case "draft changed":
      return draftChanged(state, event.room, event.draft, event.at);
    case "send":
      return send(state, event);
    case "retry":
      return retry(state, event.room, event.id);
    case "discard":
      return discard(state, event.room, event.id);
    case "attach":
      return attach(state, event.room, event.files);
    case "retry upload":
      return retryUpload(state, event.room, event.id);
    case "remove upload":
      return removeUpload(state, event.room, event.id);
    case "upload progressed":
      return unchanged(withProgress(state, event.room, event.id, { is: "sending", sent: event.sent }));
    case "upload ended":
      return unchanged(uploadEnded(state, event));
    case "reply":
      return unchanged(inRoom(state, event.room, (room) => replying(room, event.message)));
    case "edit":
      return unchanged(inRoom(state, event.room, (room) => editing(room, event.message)));
    case "edit last":
      return unchanged(inRoom(state, event.room, (room) => editingLast(room, state.person.name)));
    case "compose new":
      return unchanged(inRoom(state, event.room, composingNew));
    case "load older":
      return loadOlder(state, event.room);
    case "load newer":
      return loadNewer(state, event.room);
    case "to newest":
      return toNewest(state, event.room);
    case "jump":
      return jump(state, event.room, event.number);
    case "jump to date":
      return jumpToDate(state, event.room, event.time);
    case "list more persons":
      return listMorePersons(state, event.room);
    case "list more members":
      return listMoreMembers(state, event.room);
    case "toast":
      return unchanged(withToast(state, event.text));
    case "dismiss toast":
      return unchanged({ ...state, toasts: state.toasts.filter(({ id }) => id !== event.id) });
    case "page shown":
      return inTurn(state, (now) => unchanged(seeing(now)), tellRead);
    case "page hidden":
      return tellRead(state);
    case "tick":
      return tick(state, event.at);
    case "signing out":
      return unchanged({ ...state, leaving: event.under });

    case "connected":
      return connected(state, event);
    case "transport changed":
      return unchanged(whileOnline(state, { transport: event.transport }));
    case "placed":
      return unchanged(whileOnline(state, { placement: event.placement }));
    case "disconnected":
      return unchanged(disconnected(state, event.at));
    case "welcomed":
      return inTurn(state, (now) => welcomed(now, event.welcome), flushAll, startUploads);
    case "message arrived":
      return arrived(state, event.message);
    case "message changed":
      return unchanged(changed(state, event.message));
    case "typing told":
      return unchanged(typingTold(state, event.room, event.name, event.at));
    case "presence told":
      return unchanged(presenceTold(state, event.change));
    case "presence lost":
      return inTurn(state, presenceLost, attend);
    case "room changed":
      return unchanged(
        inRoom(state, event.change.room, (room) => ({
          ...room,
          membership: { ...room.membership, topic: event.change.topic },
        })),
      );
    case "members changed":
      return unchanged(membersChanged(state, event.change));
    case "room joined":
      return unchanged(roomJoined(state, event.membership));
    case "room left":
      return roomLeft(state, event.left);
    case "read told":
      return unchanged(readTold(state, event.mark.room, event.mark.read, event.mark.unread));
    case "invited":
      return unchanged({
        ...state,
        invitations: [
          ...state.invitations.filter(({ room }) => room !== event.invitation.room),
          event.invitation,
        ],
      });
    case "invitation gone":
      return unchanged({
        ...state,
        invitations: state.invitations.filter(({ room }) => room !== event.room),
      });
    case "person changed":
      return inTurn({ ...state, person: event.person }, renamed, attend);

    case "history loaded":
      return inTurn(
        state,
        (now) => afterPage(now, event.room, event.ask, event.page),
        (now) => unchanged(seeing(now)),
      );
    case "history failed":
      return unchanged(afterLoadFailed(state, event.room, event.ask, event.problem));
    case "changes loaded":
      return afterChanges(state, event);
    case "changes failed":
      return unchanged(inRoom(state, event.room, (room) => ({ ...room, stale: true })));
    case "send answered":
      return afterSend(state, event.room, event.id, event.result, event.at);
    case "edit failed":
      return unchanged(editFailed(state, event));
    case "presence listed":
      return unchanged(
        inRoom(state, event.room, (room) => ({
          ...room,
          presence: { ...room.presence, persons: event.persons, count: event.count },
        })),
      );
    case "people failed":
      return unchanged(
        inRoom(state, event.room, (room) => ({ ...room, presence: { ...room.presence, stale: true } })),
      );
    case "members listed":
      return unchanged(membersListed(state, event));
    case "read answered":
      return unchanged(readTold(state, event.room, event.read, event.unread));
    case "read untold":
      return unchanged(
        inRoom(state, event.room, (room) => ({
          ...room,
          toldRead: Math.min(room.toldRead, event.number - 1),
        })),
      );

    // About who is signed in: `update` has seen to it.
    case "signed in":
    case "nobody signed in":
    case "session unknown":
    case "sign out done":
    case "signed out":
    case "refused":
      return unchanged(state);
  }
}

type Connected = Extract<Event, { type: "connected" }>;

/** A recovered session has missed nothing but presence; any other is told all anew in its welcome. */
function connected(state: Chatting, { recovered, transport }: Connected): Step<Chatting> {
  const online: Chatting = {
    ...state,
    connection: { is: "online", transport, placement: null },
    welcomed: recovered && state.welcomed,
  };
  if (!online.welcomed) return unchanged(online);
  return inTurn(
    online,
    presenceLost,
    (now) => (now.activeRoom === null ? unchanged(now) : ensureLoaded(now, now.activeRoom)),
    attend,
    flushAll,
    startUploads,
  );
}

/** The lists of people have the former name. */
function renamed(state: Chatting): Step<Chatting> {
  return inTurn(
    state,
    (now) => unchanged(inEveryRoom(now, (room) => ({ ...room, members: null }))),
    presenceLost,
  );
}

/** Who is there is no longer known, for changes may have been missed. */
function presenceLost(state: Chatting): Step<Chatting> {
  return unchanged(
    inEveryRoom(state, (room) => ({ ...room, presence: { ...room.presence, persons: null, stale: true } })),
  );
}

function disconnected(state: Chatting, at: number): Chatting {
  const gone = inEveryRoom(state, (room) => {
    const outbox = afterDisconnect(room.outbox);
    const timeline = room.timeline.loading === null ? room.timeline : { ...room.timeline, loading: null };
    return outbox === room.outbox && timeline === room.timeline && room.typing.length === 0
      ? room
      : { ...room, outbox, timeline, typing: [] };
  });
  const since = state.connection.is === "reconnecting" ? state.connection.since : at;
  return { ...gone, connection: { is: "reconnecting", since, long: false } };
}

function whileOnline(
  state: Chatting,
  change: Partial<Extract<Chatting["connection"], { is: "online" }>>,
): Chatting {
  return state.connection.is === "online"
    ? { ...state, connection: { ...state.connection, ...change } }
    : state;
}

function tick(state: Chatting, at: number): Step<Chatting> {
  const { connection } = state;
  const long = connection.is === "reconnecting" && !connection.long && at - connection.since >= LONG_OFFLINE;
  const known: Chatting = long ? { ...state, connection: { ...connection, long } } : state;
  const due = inEveryRoom(typingOver(known, at), (room) => {
    const outbox = afterTime(room.outbox, at);
    return outbox === room.outbox ? room : { ...room, outbox };
  });
  return inTurn(due, flushAll, startUploads, askForChanges, tellRead, (now) => renewPresence(now, at));
}

function replying(room: Room, to: Message): Room {
  const draft = room.composing.is === "edit" ? room.composing.draft : room.draft;
  return { ...room, draft, composing: { is: "reply", to } };
}

function editing(room: Room, message: Message): Room {
  const draft = room.composing.is === "edit" ? room.composing.draft : room.draft;
  return { ...room, draft: message.text, composing: { is: "edit", message, draft } };
}

function editingLast(room: Room, self: string): Room {
  const last = room.timeline.messages.findLast(
    ({ author, kind, deleted }) => sameName(author.name, self) && kind !== "notice" && deleted !== true,
  );
  return last === undefined ? room : editing(room, last);
}

function composingNew(room: Room): Room {
  const draft = room.composing.is === "edit" ? room.composing.draft : room.draft;
  return { ...room, draft, composing: { is: "new" } };
}

/** What was typed is not lost: the edit is open again, unless something else has been begun meanwhile. */
function editFailed(state: Chatting, { room: id, number, text, problem }: EditFailed): Chatting {
  const told = withToast(state, `Not changed: ${problem}`);
  const message = findRoom(told, id)?.timeline.messages.find((other) => other.number === number);
  if (message === undefined) return told;
  return inRoom(told, id, (room) =>
    room.composing.is === "new" && room.draft === "" ? { ...editing(room, message), draft: text } : room,
  );
}

type EditFailed = Extract<Event, { type: "edit failed" }>;
