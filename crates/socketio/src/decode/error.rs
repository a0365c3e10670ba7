//! Why messages make no packet.

use crate::event::ReservedName;
use crate::json::{JsonError, PlaceholderError};
use crate::namespace::NamespaceNameError;

/// What the client did wrong. It ends the session, not the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is empty.
    #[error("an empty packet: it begins with a digit for its type")]
    Empty,
    /// The text begins with something else than the digit of a type.
    #[error("unknown packet type {0:?}: types are 0 to 6")]
    UnknownType(char),
    /// A binary packet does not begin with its number of attachments and a dash.
    #[error("a binary packet begins with its type, the number of its attachments and a dash, as in \"51-\"")]
    AttachmentCount,
    /// A packet announces more attachments than are allowed.
    #[error("a packet may have {max} attachments")]
    TooManyAttachments {
        /// How many are allowed.
        max: usize,
    },
    /// A packet is longer, with its attachments, than is allowed.
    #[error("a packet with its attachments may have {max} bytes")]
    TooManyBytes {
        /// How many are allowed.
        max: usize,
    },
    /// The namespace is none.
    #[error(transparent)]
    Namespace(#[from] NamespaceNameError),
    /// The payload is missing, or of a kind that this type of packet does not have.
    #[error("the payload must be {expected}")]
    Payload {
        /// What it must be.
        expected: &'static str,
    },
    /// The payload is not JSON that we take.
    #[error("the payload is not acceptable: {0}")]
    Json(#[from] JsonError),
    /// An event's first element is neither text nor a number.
    #[error("an event begins with its name, which is text or a number")]
    EventName,
    /// An event bears a name that is reserved.
    #[error(transparent)]
    Reserved(#[from] ReservedName),
    /// Placeholders do not fit the announced attachments.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// A binary message while no packet waits for one.
    #[error("a binary message that no packet announced")]
    UnexpectedBinary,
    /// A text message while a packet waits for attachments.
    #[error("a text message while {missing} announced attachments are missing")]
    MissingBinary {
        /// How many were still to come.
        missing: usize,
    },
}
