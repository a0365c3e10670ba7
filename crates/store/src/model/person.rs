//! People, and their login sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        ids::{PersonId, SecretHash, Timestamp},
        names::PersonName,
    },
    ops::persons::DeletedPerson,
};

/// Whether somebody has a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonKind {
    /// Signed up, with a password.
    Member,
    /// A name without a password, kept for as long as a login session of it.
    Guest,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who it is, whatever the name.
    pub id: PersonId,
    /// Member or guest.
    pub kind: PersonKind,
    /// Nobody else has one that is the same, or looks alike.
    pub name: PersonName,
    /// When the person came first.
    pub created: Timestamp,
}

/// How long a login session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginLimits {
    /// Since it was last used.
    pub idle: Duration,
    /// Since it began.
    pub absolute: Duration,
}

/// A login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The hash of its id, which is a secret of the browser.
    pub id: SecretHash,
    /// Whose it is.
    pub person: PersonId,
    /// By what its owner may know it, such as the browser's name.
    pub label: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to a minute.
    pub last_seen: Timestamp,
    /// When it ends if it is not used before.
    pub expires: Timestamp,
}

/// What [`Store::purge_logins`](crate::Store::purge_logins) has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Login sessions that have expired.
    pub logins: Vec<SecretHash>,
    /// Guests without a login session. Their names are free.
    pub guests: Vec<DeletedPerson>,
}

/// What [`Store::end_logins`](crate::Store::end_logins) has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedLogins {
    /// Login sessions.
    pub logins: Vec<SecretHash>,
    /// Whose they were, if that was a guest, who has none left.
    pub guest: Option<DeletedPerson>,
}

/// Whether one more attempt is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is counted.
    Allowed,
    /// It is not; there were too many.
    Limited {
        /// When the next is allowed.
        retry_after: Duration,
    },
}
