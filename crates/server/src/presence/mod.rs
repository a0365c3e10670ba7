//! Who is in a room, as persons.
//!
//! A socket says who it belongs to ([`Socket::identify`](crate::Socket::identify)). From then on its person is present in
//! every room that the socket is in, while its client is connected. Somebody with three devices is one person: present with
//! the first socket that joins, absent with the last that leaves.
//!
//! Every node keeps the whole list ([`Presence::list`], [`Presence::count`]) and is told what changes
//! ([`Presence::changes`]), so reading costs no message. A change travels once to each other node, whatever the number of
//! people in the room. Lists are soft state: nothing is stored, and nodes agree again by themselves after a cut link.
//!
//! A person who is gone still counts for [`LINGER`], so that a session that moves, a page that is reloaded and a client that
//! reconnects make no noise. The people of a node that died are gone that long after it was counted out, unless they have
//! come back elsewhere.

mod hub;
mod local;
mod machine;
mod replica;
mod roll;
mod shown;
#[cfg(test)]
mod simulation;
mod wire;

use std::{fmt, time::Duration};

use bytestring::ByteString;
use hither_socketio::{Json, NamespaceName};
use serde::{Deserialize, Serialize};

pub(crate) use hub::Hub;
pub use hub::{Lagged, Presence, PresenceChanges};
pub(crate) use shown::Shown;
pub(crate) use wire::Note;

use crate::room::Room;

/// How long a person whose last socket is gone still counts as present.
pub const LINGER: Duration = Duration::from_secs(2);

/// What tells one person from another within a namespace, such as the number of an account: at most
/// [`MAX_BYTES`](Self::MAX_BYTES) bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "ByteString", into = "ByteString")]
pub struct PersonKey(ByteString);

impl PersonKey {
    /// Bytes of UTF-8 that a key may have.
    pub const MAX_BYTES: usize = 128;

    /// The key of a person.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn new(key: impl Into<ByteString>) -> Result<Self, PersonKeyError> {
        let key = key.into();
        match key.len() {
            0 => Err(PersonKeyError::Empty),
            bytes if bytes > Self::MAX_BYTES => Err(PersonKeyError::TooLong { bytes }),
            _ => Ok(Self(key)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<ByteString> for PersonKey {
    type Error = PersonKeyError;

    fn try_from(key: ByteString) -> Result<Self, PersonKeyError> {
        Self::new(key)
    }
}

impl From<PersonKey> for ByteString {
    fn from(key: PersonKey) -> Self {
        key.0
    }
}

/// A text that is no [`PersonKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonKeyError {
    /// There is nothing in it.
    #[error("a person's key needs at least one character")]
    Empty,
    /// It is too long.
    #[error("a person's key may have {max} bytes; this one has {bytes}", max = PersonKey::MAX_BYTES)]
    TooLong {
        /// Bytes in it.
        bytes: usize,
    },
}

/// Somebody who may be present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What tells the person from others.
    pub key: PersonKey,
    /// What others are shown, such as a name. Of two devices that say it differently, either may be shown.
    pub card: Json,
}

/// A part of those who are in a room, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresencePage {
    /// These persons.
    pub persons: Vec<Person>,
    /// How many there are in all.
    pub count: usize,
    /// Whether more follow: ask again for those after the last of these.
    pub more: bool,
}

/// What changed in a room during a tenth of a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    /// The namespace of the room.
    pub namespace: NamespaceName,
    /// The room.
    pub room: Room,
    /// Who came, and who is shown with another card than before.
    pub joined: Vec<Person>,
    /// Who went.
    pub left: Vec<Person>,
    /// How many there are now.
    pub count: usize,
    /// Whether somebody is in the room through a session that this node owns: if not, nobody here has to be told.
    pub is_here: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded() {
        assert_eq!(PersonKey::new(""), Err(PersonKeyError::Empty));
        assert!(PersonKey::new("x".repeat(128)).is_ok());
        assert_eq!(
            PersonKey::new("x".repeat(129)).unwrap_err().to_string(),
            "a person's key may have 128 bytes; this one has 129"
        );
    }
}
