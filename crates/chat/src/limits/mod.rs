//! How much one person, and all in one room, may ask for.
//!
//! A node counts for itself, which costs nothing, and what it lets pass is counted for all nodes together in the store: what is said
//! in the transaction that stores it, joins, searches and uploads before they are done. What is only read and not searched is
//! counted by each node for itself, for it costs that node alone.

mod bucket;

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use hither_store::{MessageLimits, PersonId, Rate, RoomId, Store, StoreError};
use tracing::debug;

use self::bucket::Bucket;
use crate::{
    config::ChatConfig,
    refusal::{MESSAGES, MESSAGES_IN_ROOM, Refusal},
};

/// Buckets that are kept before those that are full are forgotten.
const SWEEP_AT: usize = 10_000;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Messages,
    Joins,
    Searches,
    Requests,
    /// In KiB.
    Uploads,
    Files,
}

impl Kind {
    fn what(self) -> &'static str {
        match self {
            Self::Messages => MESSAGES,
            Self::Joins => "rooms joined or created",
            Self::Searches => "searches",
            Self::Requests => "requests",
            Self::Uploads => "uploads",
            Self::Files => "files read",
        }
    }
}

/// The buckets of one node, and the rates of those in the store.
pub(crate) struct Limits {
    messages: Rate,
    uploads: Rate,
    people: Buckets<(PersonId, Kind)>,
    rooms: Buckets<RoomId>,
}

/// All people together in one room.
const ROOM: Rate = Rate::new(200, 800);
const JOINS: Rate = Rate::new(1, 30);
const SEARCHES: Rate = Rate::new(1, 10);
const REQUESTS: Rate = Rate::new(30, 200);
/// A page of 50 messages with four images each.
const FILES: Rate = Rate::new(50, 400);
/// The largest files that somebody may upload in an hour.
const UPLOADS_PER_HOUR: u32 = 20;

impl Limits {
    pub(crate) fn new(config: &ChatConfig) -> Self {
        let messages_per_second = config.messages_per_second;
        let per_hour = u32::try_from(config.max_upload_bytes / 1024)
            .unwrap_or(u32::MAX)
            .saturating_mul(UPLOADS_PER_HOUR);
        Self {
            uploads: Rate::per_hour(per_hour),
            messages: Rate::new(messages_per_second, messages_per_second.saturating_mul(4)),
            people: Buckets::default(),
            rooms: Buckets::default(),
        }
    }

    /// What the store limits by itself.
    pub(crate) fn of_messages(&self) -> MessageLimits {
        MessageLimits {
            person: self.messages,
            room: self.room(),
        }
    }

    fn room(&self) -> Rate {
        ROOM.at_least(self.messages)
    }

    fn rate(&self, kind: Kind) -> Rate {
        match kind {
            Kind::Messages => self.messages,
            Kind::Joins => JOINS,
            Kind::Searches => SEARCHES,
            Kind::Requests => REQUESTS,
            Kind::Uploads => self.uploads,
            Kind::Files => FILES,
        }
    }

    /// Lets a person do so much of this kind on all nodes together.
    pub(crate) async fn take_shared(
        &self,
        store: &Store,
        person: PersonId,
        kind: Kind,
        tokens: u32,
    ) -> Result<(), Refusal> {
        self.take_many(person, kind, tokens)?;
        let subject = format!("{} {person}", kind.what());
        match store.take(&subject, self.rate(kind), tokens).await {
            Err(StoreError::Limited { retry_after, .. }) => Err(Refusal::limited(kind.what(), retry_after)),
            Err(error @ (StoreError::ReadOnly | StoreError::Full)) => {
                // It may still be searched, and what is to be written fails by itself.
                debug!(%error, "cannot count a person's requests in the store; counting on this node alone");
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Lets a person do one thing of this kind.
    pub(crate) fn take(&self, person: PersonId, kind: Kind) -> Result<(), Refusal> {
        self.take_many(person, kind, 1)
    }

    /// Lets a person do this much of this kind.
    pub(crate) fn take_many(&self, person: PersonId, kind: Kind, tokens: u32) -> Result<(), Refusal> {
        let rate = self.rate(kind);
        self.people.take((person, kind), rate, tokens, kind.what())
    }

    /// Lets somebody say something in a room.
    pub(crate) fn take_room(&self, room: RoomId) -> Result<(), Refusal> {
        self.rooms.take(room, self.room(), 1, MESSAGES_IN_ROOM)
    }
}

struct Buckets<K>(Mutex<HashMap<K, Bucket>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn take(&self, key: K, rate: Rate, tokens: u32, what: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SWEEP_AT {
            // A full bucket is as good as none.
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket::full(rate, now));
        bucket
            .take(now, tokens)
            .map_err(|wait| Refusal::limited(what, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    #[test]
    fn one_person_s_flood_is_nobody_else_s() {
        let limits = Limits::new(&ChatConfig {
            messages_per_second: 1,
            ..ChatConfig::default()
        });
        let (flooder, other) = (PersonId::random(), PersonId::random());
        let refused = (0..5)
            .find_map(|_| limits.take(flooder, Kind::Messages).err())
            .unwrap();
        assert_eq!(refused.code, Code::Limited);
        assert!(
            refused
                .retry_after_ms
                .is_some_and(|wait| (1..=1_000).contains(&wait))
        );
        assert!(limits.take(other, Kind::Messages).is_ok());
        assert!(limits.take(flooder, Kind::Searches).is_ok());
    }
}
