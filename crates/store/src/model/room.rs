//! Rooms, and who is in them.

use serde::{Deserialize, Serialize};

use crate::model::{
    ids::{Number, PersonId, RoomId, Timestamp, WebhookId},
    names::RoomName,
    person::Person,
};

/// Who finds a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomKind {
    /// Everybody.
    Public,
    /// Who is invited.
    Private,
    /// Its two people, always the same. It has no name of its own.
    Direct,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which room it is.
    pub id: RoomId,
    /// Who finds it.
    pub kind: RoomKind,
    /// As it is shown. That of a direct room means nothing.
    pub name: RoomName,
    /// What it is about; may be empty.
    pub topic: String,
    /// When it began.
    pub created: Timestamp,
    /// The number of the last message, 0 when there is none.
    pub last: Number,
}

/// The most characters of a topic.
pub const MAX_TOPIC_CHARS: usize = 250;

/// A room to be.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// As it is shown.
    pub name: RoomName,
    /// Whether it is private.
    pub private: bool,
    /// What it is about, at most [`MAX_TOPIC_CHARS`].
    pub topic: String,
    /// Who is in it as the first.
    pub owner: Option<PersonId>,
}

/// A public room in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// The room.
    pub room: Room,
    /// How many are in it, present or not.
    pub members: u64,
    /// Whether the one who asks is.
    pub joined: bool,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// All.
    Owner,
    /// Remove messages and people.
    Moderator,
    /// Talk.
    Member,
}

/// How somebody stands to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Is in it.
    In(Role),
    /// May come in.
    Invited,
    /// May not.
    Banned,
}

/// A room as one of its members has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The room.
    pub room: Room,
    /// What the member may do.
    pub role: Role,
    /// The place in the member's own list, smallest first; may be the same for several rooms.
    pub place: i64,
    /// Whether the member does not want to be called.
    pub muted: bool,
    /// What the member has read.
    pub mark: ReadMark,
    /// In a direct room, the other one, unless that account is gone.
    pub peer: Option<Person>,
}

/// How far somebody has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReadMark {
    /// The last message that was read, 0 for none.
    pub read: Number,
    /// How many came after it from others, [`ReadMark::MOST`] when there are more.
    pub unread: u64,
}

impl ReadMark {
    /// Where counting ends, so that a mark a million messages back costs no more.
    pub const MOST: u64 = 1000;
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// Somebody may come into a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The room.
    pub room: Room,
    /// The name of who has invited.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Says something in a room for whoever knows its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Which it is.
    pub id: WebhookId,
    /// Where it says it.
    pub room: RoomId,
    /// Under which name.
    pub name: String,
}
