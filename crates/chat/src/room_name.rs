//! The name of a chat room.

use std::{fmt, sync::Arc};

use hither::Room;
use serde::{Deserialize, Serialize};

use crate::name::{NameError, tidy};

/// The name of a chat room: 1 to [`MAX_CHARS`](Self::MAX_CHARS) characters, all of which can be seen, and no space around
/// them. Capitals count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "Arc<str>")]
pub struct RoomName(Arc<str>);

/// A text is not a room's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A room's name {0}")]
pub struct RoomNameError(#[from] NameError);

impl RoomName {
    /// Characters (Unicode scalar values) that a name may have.
    pub const MAX_CHARS: usize = 64;

    /// The name in a text, without the space around it.
    ///
    /// # Errors
    /// When the text is no name, and why.
    pub fn new(text: &str) -> Result<Self, RoomNameError> {
        Ok(Self(tidy(text, Self::MAX_CHARS)?))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The library's room for it.
    pub(crate) fn room(&self) -> Room {
        Room::from(self.0.clone())
    }
}

impl TryFrom<String> for RoomName {
    type Error = RoomNameError;

    fn try_from(text: String) -> Result<Self, RoomNameError> {
        Self::new(&text)
    }
}

impl From<RoomName> for Arc<str> {
    fn from(name: RoomName) -> Self {
        name.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_up_to_64_characters() {
        assert!(RoomName::new(&"ü".repeat(64)).is_ok());
        let error = RoomName::new(&"ü".repeat(65)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "A room's name may have 64 characters; this one has 65."
        );
    }

    #[test]
    fn is_the_same_with_and_without_space_around() {
        assert_eq!(
            RoomName::new(" tea and cake ").unwrap(),
            RoomName::new("tea and cake").unwrap()
        );
        assert_ne!(RoomName::new("Tea").unwrap(), RoomName::new("tea").unwrap());
    }
}
