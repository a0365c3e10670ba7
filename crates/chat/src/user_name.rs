//! The name under which somebody chats.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::name::{NameError, tidy};

/// The name under which somebody chats: 1 to [`MAX_CHARS`](Self::MAX_CHARS) characters, all of which can be seen, and no
/// space around them. Two people may have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "Arc<str>")]
pub struct UserName(Arc<str>);

/// A text is not a person's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A name {0}")]
pub struct UserNameError(#[from] NameError);

impl UserName {
    /// Characters (Unicode scalar values) that a name may have.
    pub const MAX_CHARS: usize = 32;

    /// The name in a text, without the space around it.
    ///
    /// # Errors
    /// When the text is no name, and why.
    pub fn new(text: &str) -> Result<Self, UserNameError> {
        Ok(Self(tidy(text, Self::MAX_CHARS)?))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;

    fn try_from(text: String) -> Result<Self, UserNameError> {
        Self::new(&text)
    }
}

impl From<UserName> for Arc<str> {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_up_to_32_characters() {
        assert_eq!(UserName::new(&"é".repeat(32)).unwrap().as_str(), "é".repeat(32));
        let error = UserName::new(&"é".repeat(33)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "A name may have 32 characters; this one has 33."
        );
    }

    #[test]
    fn is_checked_when_it_is_read() {
        assert_eq!(
            serde_json::from_str::<UserName>(r#"" Ana ""#).unwrap().as_str(),
            "Ana"
        );
        assert!(serde_json::from_str::<UserName>(r#""""#).is_err());
        assert_eq!(
            serde_json::to_string(&UserName::new("Ana").unwrap()).unwrap(),
            r#""Ana""#
        );
    }
}
