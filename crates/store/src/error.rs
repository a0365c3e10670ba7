//! What can go wrong, by what the caller can do about it.

use std::{sync::Arc, time::Duration};

/// Why the store did not do what it was asked. Nothing of it was done, but see [`StoreError::Unavailable`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, or not in time. What was asked may be done all the same if the connection broke at the very
    /// end: ask again, for every call may be repeated. A message is stored once and answered alike; what was created may be
    /// answered with [`StoreError::Conflict`].
    #[error("the store is not available; try again in {} s", .retry_after.as_secs_f32())]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What happened, for the log. It tells no credentials.
        reason: String,
    },
    /// The store can be read only, as a standby of PostgreSQL, or a file on a volume that is mounted so.
    #[error("the store is read-only for now")]
    ReadOnly,
    /// There is no room on the disk of the store.
    #[error("the store is full")]
    Full,
    /// It contradicts what is stored.
    #[error("{0}")]
    Conflict(Conflict),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(Missing),
    /// The person may not.
    #[error("{0}")]
    Denied(Denial),
    /// It happens too often.
    #[error("{limit} in a short time; try again in {} s", .retry_after.as_secs_f32())]
    Limited {
        /// Of what there is too much.
        limit: Limit,
        /// When to try again.
        retry_after: Duration,
    },
    /// The input cannot be stored; says what would be right.
    #[error("{0}")]
    Invalid(String),
    /// A fault of the store, or of this library.
    #[error("the store has failed")]
    Internal(#[source] Arc<sqlx::Error>),
}

/// With what something collides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Somebody has this name, or one that looks like it.
    #[error("this name is taken, or looks like one that is")]
    NameTaken,
    /// A public room has this name, or one that looks like it.
    #[error("there is a room of this name, or of one that looks like it")]
    RoomNameTaken,
    /// The person is in the room already.
    #[error("is in the room already")]
    AlreadyMember,
    /// The author has another message of this id, in another room.
    #[error("another message has this id")]
    ClientIdUsed,
    /// The secret is in use already.
    #[error("this secret is used already")]
    SecretUsed,
}

/// What there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the variants say it")]
pub enum Missing {
    #[error("person")]
    Person,
    #[error("room")]
    Room,
    #[error("message")]
    Message,
    #[error("login session")]
    Login,
    #[error("invitation")]
    Invitation,
    #[error("member")]
    Member,
    #[error("webhook")]
    Webhook,
    #[error("attachment")]
    Attachment,
}

/// Of what there is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Of what one subject does.
    #[error("too much by one")]
    Subject,
    /// Of what is said in a room.
    #[error("too much in one room")]
    Room,
}

/// Why a person may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Only members of the room may.
    #[error("only who is in the room may do this")]
    NotMember,
    /// The room is private, and the person was not invited.
    #[error("one has to be invited to this room")]
    NotInvited,
    /// The person is banned from the room.
    #[error("banned from this room")]
    Banned,
    /// The message is somebody else's.
    #[error("the message is somebody else's")]
    NotAuthor,
    /// The room is a direct one of two people.
    #[error("this cannot be done in a direct room")]
    DirectRoom,
}

impl From<Conflict> for StoreError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<Missing> for StoreError {
    fn from(missing: Missing) -> Self {
        Self::NotFound(missing)
    }
}

impl From<Denial> for StoreError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What a store that does not answer is given before it is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl StoreError {
    pub(crate) fn internal(error: sqlx::Error) -> Self {
        Self::Internal(Arc::new(error))
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after: RETRY_AFTER,
            reason: reason.into(),
        }
    }

    /// Whether it says something of the store, not of what it was asked.
    pub(crate) fn is_of_the_store(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::ReadOnly | Self::Full | Self::Internal(_)
        )
    }

    /// What it is if a constraint for unique values has refused it.
    pub(crate) fn on_duplicate(self, conflict: Conflict) -> Self {
        match &self {
            Self::Internal(error)
                if error
                    .as_database_error()
                    .is_some_and(|cause| cause.is_unique_violation()) =>
            {
                conflict.into()
            }
            _ => self,
        }
    }

    /// Whether the same may go well in a moment, or on another connection.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::ReadOnly)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match &error {
            Error::Database(cause) => {
                of_code(&cause.code().unwrap_or_default()).unwrap_or_else(|| Self::internal(error))
            }
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed => Self::unavailable(error.to_string()),
            _ => Self::internal(error),
        }
    }
}

/// What an error code says of the store: five characters of PostgreSQL (its appendix A), or a number of SQLite ("Result and
/// Error Codes").
fn of_code(code: &str) -> Option<StoreError> {
    if code.len() == 5 {
        return match code {
            "25006" => Some(StoreError::ReadOnly),
            "53100" => Some(StoreError::Full),
            // Serialization failure, deadlock; lock and statement timeout; idle in a transaction for too long.
            "40001" | "40P01" | "55P03" | "57014" | "25P03" => {
                Some(StoreError::unavailable(format!("PostgreSQL error {code}")))
            }
            // Connections, resources, operator intervention, IO errors.
            // And no such password, no such database: whoever runs it is at work on it.
            _ => ["08", "53", "57", "58", "28", "3D"]
                .iter()
                .any(|class| code.starts_with(class))
                .then(|| StoreError::unavailable(format!("PostgreSQL error {code}"))),
        };
    }
    match code.parse::<u32>().ok()? & 0xff {
        8 => Some(StoreError::ReadOnly),
        13 => Some(StoreError::Full),
        // BUSY, LOCKED, IOERR, CANTOPEN, PROTOCOL (the locks of the WAL).
        5 | 6 | 10 | 14 | 15 => Some(StoreError::unavailable(format!("SQLite error {code}"))),
        _ => None,
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer version of the program has changed the schema.
    #[error(
        "the store has schema {found}, and this program knows {known} at most: run a newer version of it"
    )]
    NewerSchema {
        /// The schema of the store.
        found: i64,
        /// The newest one that this program knows.
        known: i64,
    },
    /// The store does not answer, or not as it should.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        assert!(matches!(of_code("25006"), Some(StoreError::ReadOnly)));
        assert!(matches!(of_code("53100"), Some(StoreError::Full)));
        for code in ["57P01", "57P03", "40P01", "08006", "5", "517", "266", "14"] {
            assert!(
                matches!(of_code(code), Some(StoreError::Unavailable { .. })),
                "{code}"
            );
        }
        assert!(matches!(of_code("8"), Some(StoreError::ReadOnly)));
        assert!(matches!(of_code("1032"), Some(StoreError::ReadOnly)));
        assert!(matches!(of_code("13"), Some(StoreError::Full)));
        for code in ["23505", "42601", "", "11", "1555"] {
            assert!(of_code(code).is_none(), "{code}");
        }
    }
}
