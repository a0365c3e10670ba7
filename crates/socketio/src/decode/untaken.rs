//! What a message completes: a packet, or what is well-formed and cannot be taken all the same.

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::connect_error::ConnectError;
use crate::ids::AckId;
use crate::json::JsonError;
use crate::namespace::NamespaceName;
use crate::packet::Packet;

/// What the messages of one packet make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decoded {
    /// A packet.
    Packet(Packet),
    /// What is answered or ignored, and ends nothing.
    Untaken(Untaken),
}

/// Why an event is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum UntakenReason {
    /// It has no payload, hence no name. The reference takes it for an event that nobody hears.
    #[error("an event without a name: its payload is an array that begins with that")]
    NoPayload,
    /// Its arguments nest too deep.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// A well-formed packet that asks for more than there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Untaken {
    /// A CONNECT that cannot be accepted: to a name that no namespace can have, or with an auth payload that nests too deep.
    Connect {
        /// What it calls the namespace.
        name: ByteString,
        /// What it is to be answered with.
        error: ConnectError,
    },
    /// An event that no handler can hear.
    Event {
        /// In which namespace.
        namespace: NamespaceName,
        /// Where to send the error, if an answer is wanted.
        ack: Option<AckId>,
        /// What is wrong.
        error: UntakenReason,
    },
    /// An ack that does not say what it answers, or whose arguments nest too deep: what waits for it waits in vain.
    Ack {
        /// In which namespace.
        namespace: NamespaceName,
    },
}

impl From<Packet> for Decoded {
    fn from(packet: Packet) -> Self {
        Decoded::Packet(packet)
    }
}

impl From<Untaken> for Decoded {
    fn from(untaken: Untaken) -> Self {
        Decoded::Untaken(untaken)
    }
}
