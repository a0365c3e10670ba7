//! What the chat keeps: people, login sessions, rooms and messages; in a file of SQLite that the nodes of one machine share, or
//! in PostgreSQL for many machines. One set of statements serves both.
//!
//! Begin to read at [`Store`]. It knows nothing of HTTP, Socket.IO or the cluster, and decides who may do what only where that
//! must be true at the moment of writing: the author of a message is in its room, a text is changed by its author alone, who is
//! banned does not come in. What else a role allows is decided by who calls.

mod config;
mod db;
mod error;
mod model;
mod ops;
mod store;
mod upkeep;

pub use config::{StoreUrl, UrlError};
pub use error::{Conflict, Denial, Limit, Missing, OpenError, StoreError};
pub use model::{
    attachment::{Attachment, Content, FileName, MAX_ATTACHMENT_BYTES, NewAttachment},
    ids::{
        AttachmentId, ClientId, ClientIdError, IdError, Number, PersonId, RoomId, SecretHash, Timestamp,
        WebhookId,
    },
    message::{
        Appended, Author, AuthorKind, AuthorLine, Changes, Hits, MAX_EMOJI_BYTES, MAX_PAGE, MAX_REACTIONS,
        MAX_TEXT_BYTES, Message, MessageKind, NewMessage, Page, Quote, Reaction, Span,
    },
    names::{NameError, PersonName, PersonNameError, RoomName, RoomNameError},
    person::{Attempt, EndedLogins, Login, LoginLimits, Person, PersonKind, Purged},
    rate::{MessageLimits, Rate},
    room::{
        Invitation, MAX_TOPIC_CHARS, Member, Membership, NewRoom, ReadMark, Role, Room, RoomKind,
        RoomSummary, Standing, Webhook,
    },
};
pub use ops::{
    persons::DeletedPerson,
    retention::{Pruned, Retention},
};
pub use store::Store;
pub use upkeep::{Backup, Report, UpkeepError};
