//! What people say in rooms.

use serde::Serialize;

/// Something that somebody says, or does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// Whether it is said or done.
    pub(crate) kind: MessageKind,
    /// The words, without the space around them and without the command that made them an action. Never empty.
    #[serde(rename = "message")]
    pub(crate) text: String,
}

/// Whether something is said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageKind {
    /// Said.
    Text,
    /// Done: `/me waves` is the action "waves".
    Action,
}

/// A text cannot be told to a room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// There is nothing in it but space.
    #[error("The message is empty.")]
    Empty,
    /// It is too long.
    #[error("The message has {bytes} bytes; {max} are allowed.")]
    TooLong {
        /// Bytes of UTF-8 in it, without the space around it.
        bytes: usize,
        /// Bytes that are allowed.
        max: usize,
    },
}

/// What makes an action of a message.
const ACTION: &str = "/me";

impl Message {
    /// Reads what somebody typed, of which at most `max` bytes are allowed.
    ///
    /// Other words that begin with a slash, and `/me` without an action, are said as they are.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub(crate) fn new(typed: &str, max: usize) -> Result<Self, MessageError> {
        let text = typed.trim();
        if text.is_empty() {
            return Err(MessageError::Empty);
        }
        if text.len() > max {
            return Err(MessageError::TooLong {
                bytes: text.len(),
                max,
            });
        }
        Ok(match action(text) {
            Some(action) => Self {
                kind: MessageKind::Action,
                text: action.to_owned(),
            },
            None => Self {
                kind: MessageKind::Text,
                text: text.to_owned(),
            },
        })
    }
}

/// What is done, in a text without space at its end.
fn action(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(ACTION)?;
    let action = rest.trim_start();
    (action.len() < rest.len()).then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(typed: &str) -> (MessageKind, String) {
        let message = Message::new(typed, 100).unwrap();
        (message.kind, message.text)
    }

    #[test]
    fn me_makes_an_action() {
        for typed in ["/me waves", "  /me   waves ", "/me\twaves", "/me\u{a0}waves"] {
            assert_eq!(read(typed), (MessageKind::Action, "waves".into()), "{typed:?}");
        }
        assert_eq!(
            read("/me takes\ntwo lines"),
            (MessageKind::Action, "takes\ntwo lines".into())
        );
    }

    #[test]
    fn anything_else_is_said() {
        for typed in ["/me", "/mean it", "/Me waves", "me waves", "//me waves", "/leave"] {
            assert_eq!(read(typed), (MessageKind::Text, typed.into()));
        }
    }

    #[test]
    fn space_around_is_dropped_and_space_inside_is_kept() {
        assert_eq!(read(" \n a  b\n\nc \t"), (MessageKind::Text, "a  b\n\nc".into()));
    }

    #[test]
    fn needs_something_to_say() {
        for typed in ["", " ", "\n\t\u{a0}"] {
            assert_eq!(Message::new(typed, 100), Err(MessageError::Empty));
        }
    }

    #[test]
    fn length_counts_bytes_without_the_space_around() {
        assert!(Message::new(" éé ", 4).is_ok());
        let error = Message::new("ééa", 4).unwrap_err();
        assert_eq!(error, MessageError::TooLong { bytes: 5, max: 4 });
        assert_eq!(error.to_string(), "The message has 5 bytes; 4 are allowed.");
    }

    proptest! {
        #[test]
        fn what_is_taken_is_never_empty_nor_too_long(typed in "(/me)?\\s?\\PC*", max in 0_usize..64) {
            if let Ok(message) = Message::new(&typed, max) {
                prop_assert!((1..=max).contains(&message.text.len()));
                prop_assert_eq!(message.text.trim(), &message.text);
            }
        }
    }
}
