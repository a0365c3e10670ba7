//! What is said.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    error::StoreError,
    model::{
        attachment::Attachment,
        ids::{AttachmentId, ClientId, Number, PersonId, RoomId, Timestamp, WebhookId},
    },
};

/// The most bytes that the text of a message may have.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Messages of one page of a history.
pub const MAX_PAGE: u32 = 100;
/// The most different reactions to a message.
pub const MAX_REACTIONS: usize = 32;
/// Bytes of a reaction's emoji.
pub const MAX_EMOJI_BYTES: usize = 64;

/// What is said to a room.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Where.
    pub room: RoomId,
    /// By whom.
    pub author: Author,
    /// What its author calls it. What one author says twice under the same is stored once.
    pub client_id: ClientId,
    /// How it is meant.
    pub kind: MessageKind,
    /// 1 to [`MAX_TEXT_BYTES`] bytes; may be empty when there are attachments.
    pub text: String,
    /// The message of the same room that it answers.
    pub reply_to: Option<Number>,
    /// What was uploaded for it by its author, to the same room.
    pub attachments: Vec<AttachmentId>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// A member or guest, who has to be in the room, but for a [`MessageKind::Notice`].
    Person(PersonId),
    /// A webhook, which has to be of the room.
    Webhook(WebhookId),
    /// The server itself.
    Server,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// As a text.
    Text,
    /// As what its author does: "waves".
    Action,
    /// As what has happened to the room. The server alone makes them.
    Notice,
}

/// A message is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub number: Number,
    /// When the store took it; never before that of the number before.
    pub time: Timestamp,
    /// Whether it was stored before, under the same client id.
    pub repeated: bool,
}

/// What kind of author a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorKind {
    /// Signed up.
    Member,
    /// Without a password.
    Guest,
    /// A program.
    Webhook,
    /// The server.
    Server,
}

/// Who has said something, as it was when they said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorLine {
    /// Who it is now; that may be gone.
    pub author: Author,
    /// The name at that time.
    pub name: String,
    /// What kind of author.
    pub kind: AuthorKind,
}

/// A message of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub room: RoomId,
    /// Its place in the room.
    pub number: Number,
    /// When the store took it.
    pub time: Timestamp,
    /// By whom.
    pub author: AuthorLine,
    /// What its author calls it.
    pub client_id: ClientId,
    /// How it is meant.
    pub kind: MessageKind,
    /// Empty when it was deleted.
    pub text: String,
    /// What it answers.
    pub reply_to: Option<Quote>,
    /// When its text was last changed.
    pub edited: Option<Timestamp>,
    /// Whether its text was removed from the store.
    pub deleted: bool,
    /// The room's count of changes when it was last edited, deleted or reacted to; 0 when it never was.
    pub change: u64,
    /// In the order in which the first of each came.
    pub reactions: Vec<Reaction>,
    /// In the order of upload.
    pub attachments: Vec<Attachment>,
}

/// The message that is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Its number.
    pub number: Number,
    /// Who said what; none when it is deleted or no longer kept.
    pub line: Option<(String, String)>,
}

/// An emoji, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// Names, the first first.
    pub names: Vec<String>,
}

/// Which messages of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The last ones.
    Newest,
    /// Those before a number.
    Before(Number),
    /// Those after a number.
    After(Number),
    /// Those around a number, half before it.
    Around(Number),
    /// From the first one at or after a time.
    Since(Timestamp),
}

/// Messages of a room, the smallest number first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// They follow each other without gaps.
    pub messages: Vec<Message>,
    /// The number of the room's last message.
    pub last: Number,
    /// The room's count of changes.
    pub last_change: u64,
    /// Whether there are others before them.
    pub more_before: bool,
    /// Whether there are others after them.
    pub more_after: bool,
}

/// What was found in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// The newest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Messages that have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// As they are now, in the order of their last change.
    pub messages: Vec<Message>,
    /// How far they go by the room's count of changes: what came later is to be asked for after it.
    pub last_change: u64,
    /// Whether there are more, after the last one's.
    pub more: bool,
}

/// Who waits for a message to be durable.
pub(crate) type AppendReply = oneshot::Sender<Result<Appended, StoreError>>;
