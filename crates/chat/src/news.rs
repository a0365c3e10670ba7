//! What is told by the node where it happens: to the handlers of sockets on all nodes, and to the members of a room.

use hither::Room as Audience;
use hither_store::{PersonId, PersonName, RoomId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::view::PersonView;

/// Under which name handlers are told [`News`].
pub(crate) const NEWS: &str = "news";

/// What handlers of sockets are told, on all nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub(crate) enum News {
    /// Something is different about this room for this person.
    Room { room: RoomId, gone: Option<Gone> },
    /// The login session has ended.
    LoginEnded { reason: LoginEnd },
    /// The person has another name.
    Renamed { name: PersonName },
}

/// Why a login session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginEnd {
    SignedOut,
    PasswordChanged,
    AccountDeleted,
    Expired,
}

/// Why somebody is in a room no longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Gone {
    pub(crate) reason: GoneReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GoneReason {
    Left,
    Removed,
    Banned,
}

/// News, and for whose handlers.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    pub(crate) to: Audience,
    pub(crate) news: News,
}

/// Somebody came into a room, went, or has another role.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) room: RoomId,
    pub(crate) whose: Affected,
}

/// Whose membership has changed.
#[derive(Clone, Debug)]
pub(crate) struct Affected {
    pub(crate) id: PersonId,
    /// How they are called, in case that they are gone from the store.
    pub(crate) view: PersonView,
}

/// What is to be told.
pub(crate) struct Told {
    pub(crate) handlers: mpsc::Receiver<Tell>,
    pub(crate) members: mpsc::Receiver<Change>,
}
