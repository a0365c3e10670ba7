//! Why a request was not done, for programs by a code and for people in a sentence.

use std::time::Duration;

use hither::EmitError;
use hither_store::{Denial, Limit, Missing, StoreError};
use serde::Serialize;
use tracing::error;

/// Of what a person said too many.
pub(crate) const MESSAGES: &str = "messages";
/// Of what all in a room together said too many.
pub(crate) const MESSAGES_IN_ROOM: &str = "messages in this room";

/// What programs tell refusals apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    BadRequest,
    InvalidName,
    WeakPassword,
    NotSignedIn,
    WrongCredentials,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Limited,
    Unavailable,
}

/// Why a request was not done. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: None,
        }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(Code::NotSignedIn, "Sign in first.")
    }

    /// More than is allowed in so short a time.
    pub(crate) fn limited(what: &str, retry_after: Duration) -> Self {
        Self {
            code: Code::Limited,
            message: format!(
                "Too many {what} in a short time; try again in {} s.",
                retry_after.as_millis().div_ceil(1000)
            ),
            retry_after_ms: Some(millis(retry_after)),
        }
    }

    /// The server cannot do it now.
    pub(crate) fn unavailable(retry_after: Duration) -> Self {
        Self {
            code: Code::Unavailable,
            message: "The server cannot do this now; please try again soon.".into(),
            retry_after_ms: Some(millis(retry_after)),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When what has no time of its own is to be tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { retry_after, .. } => Self::unavailable(retry_after),
            StoreError::ReadOnly | StoreError::Full => Self {
                message: format!("{}.", sentence(&error.to_string())),
                ..Self::unavailable(RETRY_AFTER)
            },
            StoreError::Conflict(conflict) => {
                Self::new(Code::Conflict, format!("{}.", sentence(&conflict.to_string())))
            }
            StoreError::NotFound(missing) => Self::new(
                Code::NotFound,
                match missing {
                    Missing::Member => "This person is not in the room.".into(),
                    missing => format!("There is no such {missing}."),
                },
            ),
            StoreError::Denied(denial) => Self::forbidden(match denial {
                Denial::NotMember => "You are not in this room; join it first.",
                Denial::NotInvited => "You have to be invited to this room.",
                Denial::Banned => "You are banned from this room.",
                Denial::NotAuthor => "The message is somebody else's.",
                Denial::DirectRoom => "This cannot be done in a direct room.",
            }),
            StoreError::Limited { limit, retry_after } => {
                let what = match limit {
                    Limit::Subject => MESSAGES,
                    Limit::Room => MESSAGES_IN_ROOM,
                };
                Self::limited(what, retry_after)
            }
            StoreError::Invalid(what) => Self::bad(format!("{}.", sentence(&what))),
            StoreError::Internal(source) => {
                error!(%source, "the store has failed");
                Self::unavailable(RETRY_AFTER)
            }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// Why a handler stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client asked for what cannot be.
    #[error(transparent)]
    Refused(Refusal),
    /// What was to be sent cannot be.
    #[error(transparent)]
    Unsent(#[from] EmitError),
}

impl<R: Into<Refusal>> From<R> for Failure {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_store::Conflict;

    #[test]
    fn refusals_are_sentences_with_a_code() {
        let taken = Refusal::from(StoreError::Conflict(Conflict::NameTaken));
        assert_eq!(taken.code, Code::Conflict);
        assert_eq!(taken.message, "This name is taken, or looks like one that is.");
        let json =
            serde_json::to_string(&Refusal::limited("messages", Duration::from_millis(1_200))).unwrap();
        assert_eq!(
            json,
            r#"{"code":"limited","message":"Too many messages in a short time; try again in 2 s.","retryAfterMs":1200}"#
        );
    }

    #[test]
    fn a_store_that_fails_is_told_as_such_and_nothing_more() {
        let error = StoreError::Unavailable {
            retry_after: Duration::from_secs(1),
            reason: "password of postgres".into(),
        };
        let refusal = Refusal::from(error);
        assert_eq!(
            (refusal.code, refusal.retry_after_ms),
            (Code::Unavailable, Some(1_000))
        );
        assert!(!refusal.message.contains("postgres"));
    }
}
