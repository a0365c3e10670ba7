//! Names of namespaces.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// The name of a namespace: `/` for the main one, `/chat`, `/admin`.
///
/// It begins with `/`, holds neither commas (on the wire a comma ends it) nor control characters (in a poll's body one ends the
/// packet), and takes at most [`NamespaceName::MAX_LEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "ByteString", into = "ByteString")]
pub struct NamespaceName(ByteString);

impl NamespaceName {
    /// Longest name in bytes. The reference has no limit; ours keeps what an unauthenticated client can make us hold small.
    pub const MAX_LEN: usize = 256;

    /// The main namespace, `/`, which packets do not spell out.
    pub const MAIN: NamespaceName = NamespaceName(ByteString::from_static("/"));

    /// Checks a name.
    pub fn new(name: impl Into<ByteString>) -> Result<NamespaceName, NamespaceNameError> {
        let name = name.into();
        if !name.starts_with('/') {
            return Err(NamespaceNameError::NoSlash);
        }
        if name.len() > Self::MAX_LEN {
            return Err(NamespaceNameError::TooLong { len: name.len() });
        }
        if name.contains(',') {
            return Err(NamespaceNameError::Comma);
        }
        if name.contains(char::is_control) {
            return Err(NamespaceNameError::Control);
        }
        Ok(NamespaceName(name))
    }

    /// The name, with its slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_main(&self) -> bool {
        self.as_str() == "/"
    }

    /// A name with memory of its own, for keeping: a decoded one is a slice of the message it came in and keeps that alive.
    pub(crate) fn detached(&self) -> NamespaceName {
        if self.is_main() {
            Self::MAIN
        } else {
            NamespaceName(ByteString::from(self.as_str()))
        }
    }
}

impl Default for NamespaceName {
    fn default() -> Self {
        Self::MAIN
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl AsRef<str> for NamespaceName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for NamespaceName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for NamespaceName {
    type Err = NamespaceNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        NamespaceName::new(name)
    }
}

impl TryFrom<ByteString> for NamespaceName {
    type Error = NamespaceNameError;

    fn try_from(name: ByteString) -> Result<Self, Self::Error> {
        NamespaceName::new(name)
    }
}

impl From<NamespaceName> for ByteString {
    fn from(name: NamespaceName) -> Self {
        name.0
    }
}

/// Why a text is no [`NamespaceName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamespaceNameError {
    /// It does not begin with a slash.
    #[error("a namespace begins with '/', as in \"/chat\"")]
    NoSlash,
    /// It holds a comma, which would end it on the wire.
    #[error("a namespace cannot hold a comma")]
    Comma,
    /// It holds a control character.
    #[error("a namespace cannot hold control characters")]
    Control,
    /// It is longer than [`NamespaceName::MAX_LEN`].
    #[error(
        "a namespace of {len} bytes is too long: {} are allowed",
        NamespaceName::MAX_LEN
    )]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_with_a_slash() {
        assert_eq!(NamespaceName::new("/chat").unwrap().as_str(), "/chat");
        assert_eq!(NamespaceName::new("/").unwrap(), NamespaceName::MAIN);
        assert_eq!(NamespaceName::new("chat"), Err(NamespaceNameError::NoSlash));
        assert_eq!(NamespaceName::new(""), Err(NamespaceNameError::NoSlash));
    }

    #[test]
    fn holds_nothing_that_ends_it_on_the_wire() {
        assert_eq!(NamespaceName::new("/a,b"), Err(NamespaceNameError::Comma));
        assert_eq!(NamespaceName::new("/a\x1eb"), Err(NamespaceNameError::Control));
    }

    #[test]
    fn is_bounded() {
        let longest = format!("/{}", "n".repeat(NamespaceName::MAX_LEN - 1));
        assert!(NamespaceName::new(longest.clone()).is_ok());
        assert_eq!(
            NamespaceName::new(longest + "n"),
            Err(NamespaceNameError::TooLong { len: 257 })
        );
    }

    #[test]
    fn is_checked_when_deserialised() {
        assert!(serde_json::from_str::<NamespaceName>(r#""/chat""#).is_ok());
        assert!(serde_json::from_str::<NamespaceName>(r#""chat""#).is_err());
    }
}
