//! What the page and the namespace say to each other, as it stands on the wire.

use hither::{Room, SocketId};
use serde::{Deserialize, Serialize};

use crate::{message::Message, room_name::RoomName, user_name::UserName};

/// The names of events.
pub(crate) mod event {
    /// To the client: who it is, and what it may do.
    pub(crate) const WELCOME: &str = "welcome";
    /// To the client: where its session is now.
    pub(crate) const PLACEMENT: &str = "placement";
    /// A request, and what it makes known to the others in the room.
    pub(crate) const JOIN_ROOM: &str = "join room";
    /// A request, and what it makes known to the others in the room.
    pub(crate) const LEAVE_ROOM: &str = "leave room";
    /// A request, and what it makes known to everybody in the room.
    pub(crate) const CHAT_MESSAGE: &str = "chat message";
    /// A request.
    pub(crate) const LIST_ROOMS: &str = "list rooms";
    /// To the client: who is in a room, instead of whom it believed to be there.
    pub(crate) const ROOM_MEMBERS: &str = "room members";
}

/// With what a client connects.
#[derive(Deserialize)]
pub(crate) struct Auth {
    pub(crate) name: String,
}

/// What a refused client can tell refusals apart by.
#[derive(Serialize)]
pub(crate) struct RefusalData {
    pub(crate) code: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Welcome<'a> {
    pub(crate) user: &'a UserName,
    pub(crate) rooms: &'a [RoomName],
    pub(crate) limits: Limits,
}

#[derive(Serialize)]
pub(crate) struct Limits {
    /// Bytes of UTF-8 that a message may have.
    pub(crate) message: usize,
}

/// A socket in a room: whoever chats in two windows is a member twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Member {
    pub(crate) id: SocketId,
    pub(crate) user: UserName,
}

#[derive(Serialize)]
pub(crate) struct RoomMembers<'a> {
    pub(crate) room: &'a Room,
    pub(crate) members: &'a [Member],
}

#[derive(Serialize)]
pub(crate) struct MemberJoined<'a> {
    pub(crate) room: &'a Room,
    pub(crate) user: &'a UserName,
    pub(crate) id: &'a SocketId,
}

#[derive(Serialize)]
pub(crate) struct MemberLeft<'a> {
    pub(crate) room: &'a Room,
    pub(crate) user: &'a UserName,
    pub(crate) id: &'a SocketId,
    /// Why, if it was not the member's wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct RoomMessage<'a> {
    pub(crate) room: &'a Room,
    pub(crate) user: &'a UserName,
    pub(crate) id: &'a SocketId,
    #[serde(flatten)]
    pub(crate) message: &'a Message,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RoomSummary {
    pub(crate) room: RoomName,
    pub(crate) members: usize,
}

#[derive(Serialize)]
pub(crate) struct RoomList<'a> {
    pub(crate) rooms: &'a [RoomSummary],
}

/// The answer to every request: `{ok: true, …}` or `{ok: false, error}`.
#[derive(Serialize)]
pub(crate) struct Answer<Content> {
    ok: bool,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
pub(crate) struct Problem {
    error: String,
}

impl<Content> Answer<Content> {
    pub(crate) fn accepted(content: Content) -> Self {
        Self { ok: true, content }
    }
}

impl Answer<Nothing> {
    pub(crate) fn done() -> Self {
        Self::accepted(Nothing {})
    }
}

impl Answer<Problem> {
    pub(crate) fn refused(problem: &impl ToString) -> Self {
        Self {
            ok: false,
            content: Problem {
                error: problem.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers() {
        let text = |answer| serde_json::to_value::<Answer<Nothing>>(answer).unwrap();
        assert_eq!(text(Answer::done()), json!({ "ok": true }));
        let refused = serde_json::to_value(Answer::refused(&"No.")).unwrap();
        assert_eq!(refused, json!({ "ok": false, "error": "No." }));
        let list = [RoomSummary {
            room: RoomName::new("lobby").unwrap(),
            members: 2,
        }];
        let accepted = serde_json::to_value(Answer::accepted(RoomList { rooms: &list })).unwrap();
        assert_eq!(
            accepted,
            json!({ "ok": true, "rooms": [{ "room": "lobby", "members": 2 }] })
        );
    }

    #[test]
    fn a_message_of_a_room() {
        let (user, id) = (UserName::new("Ana").unwrap(), SocketId::new("s1"));
        let message = Message::new("/me waves", 100).unwrap();
        let event = RoomMessage {
            room: &Room::from("lobby"),
            user: &user,
            id: &id,
            message: &message,
        };
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({ "room": "lobby", "user": "Ana", "id": "s1", "message": "waves", "kind": "action" })
        );
    }

    #[test]
    fn who_leaves_by_wish_gives_no_reason() {
        let (user, id) = (UserName::new("Ana").unwrap(), SocketId::new("s1"));
        let left = |reason| {
            serde_json::to_value(MemberLeft {
                room: &Room::from("lobby"),
                user: &user,
                id: &id,
                reason,
            })
            .unwrap()
        };
        assert_eq!(left(None), json!({ "room": "lobby", "user": "Ana", "id": "s1" }));
        assert_eq!(left(Some("ping timeout".into()))["reason"], json!("ping timeout"));
    }
}
