import type { Event, Step } from "./events";
import type { Chatting } from "./model";
import { withoutOutgoing } from "./outbox";
import { withMemberJoined, withMemberLeft, withMessage } from "./room";
import {
  afterJoin,
  joinRoom,
  leaveRoom,
  openNeighbour,
  openRoom,
  refreshRooms,
  rememberLeft,
  replaceMembers,
  seeActiveRoom,
} from "./rooms";
import { afterSend, retry, send } from "./sending";
import { afterNewSession, afterRecovery, whileOnline } from "./session";
import { arriving, inOutbox, inRoom, unchanged } from "./within";

/** What an event comes to once somebody is signed in. */
export function whileChatting(state: Chatting, event: Event): Step {
  switch (event.type) {
    case "sign in":
      return unchanged(state);
    case "sign out":
      return {
        state: { phase: "signed out", name: state.user, problem: null },
        commands: [{ type: "disconnect" }],
      };
    case "join room":
      return joinRoom(state, event.room.trim());
    case "leave room":
      return leaveRoom(state, event.room);
    case "open room":
      return unchanged(openRoom(state, event.room));
    case "open neighbour":
      return unchanged(openNeighbour(state, event.step));
    case "draft changed":
      return unchanged(inRoom(state, event.room, (room) => ({ ...room, draft: event.draft })));
    case "send":
      return send(state, event.room, event.at);
    case "retry":
      return retry(state, event.room, event.id);
    case "discard":
      return unchanged(inOutbox(state, event.room, (outbox) => withoutOutgoing(outbox, event.id)));
    case "dismiss toast":
      return unchanged({ ...state, toasts: state.toasts.filter(({ id }) => id !== event.id) });
    case "page shown":
      return refreshRooms(seeActiveRoom({ ...state, pageVisible: true }));
    case "page hidden":
      return unchanged({ ...state, pageVisible: false });
    case "refresh rooms":
      return refreshRooms(state);

    case "connected":
      return event.recovered ? afterRecovery(state, event) : afterNewSession(state, event);
    case "transport changed":
      return unchanged(whileOnline(state, { transport: event.transport }));
    case "placed":
      return unchanged(whileOnline(state, { placement: event.placement }));
    case "disconnected":
      return unchanged({ ...state, connection: { is: "reconnecting" } });
    case "unreachable":
      return unchanged(state);
    case "refused":
      return {
        state: { phase: "signed out", name: state.user, problem: event.problem },
        commands: [{ type: "disconnect" }],
      };
    case "welcomed":
      return unchanged({
        ...state,
        user: event.welcome.user,
        suggestedRooms: event.welcome.rooms,
        messageLimit: event.welcome.limits.message,
      });

    case "message received":
      return unchanged(
        arriving(state, event.message.room, event.at, (room, arrival) =>
          withMessage(room, event.message, arrival),
        ),
      );
    case "member joined":
      return unchanged(
        arriving(state, event.member.room, event.at, (room, arrival) =>
          withMemberJoined(room, event.member, arrival),
        ),
      );
    case "member left":
      return unchanged(
        arriving(state, event.departure.room, event.at, (room, arrival) =>
          withMemberLeft(room, event.departure, arrival),
        ),
      );
    case "members replaced":
      return unchanged(replaceMembers(state, event.list.room, event.list.members, event.at));

    case "join answered":
      return afterJoin(state, event.room, event.outcome);
    case "leave answered":
      return unchanged(event.outcome.is === "unanswered" ? rememberLeft(state, event.room) : state);
    case "send answered":
      return unchanged(afterSend(state, event.room, event.id, event.outcome));
    case "rooms listed":
      return unchanged({ ...state, busyRooms: event.rooms });
  }
}
