//! Events: a name and arguments.

use std::fmt;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::args::{Args, ArgsError};
use crate::recovery::Offset;

/// Names with a meaning of their own at one end or the other, which no event may bear.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The name of an event: any text but the few that Socket.IO reserves for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "ByteString", into = "ByteString")]
pub struct EventName(ByteString);

impl EventName {
    /// Checks a name.
    pub fn new(name: impl Into<ByteString>) -> Result<EventName, ReservedName> {
        let name = name.into();
        if RESERVED.contains(&&*name) {
            return Err(ReservedName {
                name: name.to_string(),
            });
        }
        Ok(EventName(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for EventName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for EventName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl TryFrom<ByteString> for EventName {
    type Error = ReservedName;

    fn try_from(name: ByteString) -> Result<Self, Self::Error> {
        EventName::new(name)
    }
}

impl From<EventName> for ByteString {
    fn from(name: EventName) -> Self {
        name.0
    }
}

/// The name is one that Socket.IO reserves for itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is reserved and cannot be the name of an event")]
pub struct ReservedName {
    /// The name that was refused.
    pub name: String,
}

/// An event: what one side emits and the other listens for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// What it is called.
    pub name: EventName,
    /// What it says, without the name.
    pub args: Args,
}

impl Event {
    /// An event with arguments as [`Args::encode`] makes them.
    pub fn new<T: Serialize + ?Sized>(name: impl Into<ByteString>, args: &T) -> Result<Event, EventError> {
        Ok(Event {
            name: EventName::new(name)?,
            args: Args::encode(args)?,
        })
    }

    /// The event with an offset as its last argument, where a client that can recover looks for it.
    #[must_use]
    pub fn with_offset(&self, offset: &Offset) -> Event {
        Event {
            name: self.name.clone(),
            args: self.args.with_string(offset.as_str()),
        }
    }

    /// Whether a client that can recover would take the last argument for an offset: it does so with any string.
    ///
    /// Such an event must not go out without an offset of its own, not even a volatile one (socket.io#5539): the client
    /// would come back with the argument as its offset. One that wants an ack is safe.
    pub fn ends_like_offset(&self) -> bool {
        self.args.elements().ends_with('"')
    }
}

/// Why a name and a value make no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The name is reserved.
    #[error(transparent)]
    Name(#[from] ReservedName),
    /// The value cannot be sent.
    #[error(transparent)]
    Args(#[from] ArgsError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused() {
        for name in RESERVED {
            assert_eq!(EventName::new(name), Err(ReservedName { name: name.into() }));
            assert!(matches!(Event::new(name, &()), Err(EventError::Name(_))));
        }
        assert_eq!(EventName::new("Connect").unwrap(), "Connect");
        assert_eq!(EventName::new("").unwrap(), "");
    }

    #[test]
    fn an_offset_goes_last() {
        let offset = Offset::new("n1-7");
        assert_eq!(
            Event::new("tick", &()).unwrap().with_offset(&offset).args.json(),
            r#"["n1-7"]"#
        );
        assert_eq!(
            Event::new("tick", &(1, "a"))
                .unwrap()
                .with_offset(&offset)
                .args
                .json(),
            r#"[1,"a","n1-7"]"#
        );
    }

    #[test]
    fn what_a_client_would_take_for_an_offset() {
        let takes = |args: Args| {
            Event {
                name: EventName::new("status").unwrap(),
                args,
            }
            .ends_like_offset()
        };
        assert!(takes(Args::encode(&("a", "connected")).unwrap()));
        assert!(takes(Args::from_json("[ 1, \"x\" ] ", Vec::new()).unwrap()));
        assert!(!takes(Args::encode(&("a", ["connected"])).unwrap()));
        assert!(!takes(Args::encode(&7).unwrap()));
        assert!(!takes(Args::NONE));
    }
}
