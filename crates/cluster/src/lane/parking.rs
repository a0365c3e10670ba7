//! Requests for entities that may be on their way here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracing::warn;

use crate::{
    ask::Refusal,
    entity::{Entities, ReplyTo},
    shard::Key,
};

/// Requests that wait for a handoff to end, per lane. Further ones are refused, so their clients try again.
const MAX_PARKED: usize = 10_000;
/// How long a request waits for a handoff to end before it is refused.
const PARKED_FOR: Duration = Duration::from_secs(10);

/// A request that waits.
pub(super) struct Parked<E: Entities> {
    since: Instant,
    pub(super) request: E::Request,
    pub(super) reply: ReplyTo<E>,
}

/// The requests of one lane that wait.
pub(super) struct Parking<E: Entities> {
    by_key: HashMap<Key, Vec<Parked<E>>>,
    count: usize,
}

impl<E: Entities> Parking<E> {
    pub(super) fn new() -> Self {
        Self {
            by_key: HashMap::new(),
            count: 0,
        }
    }

    /// Keeps a request, or refuses it where too many wait.
    pub(super) fn park(&mut self, key: Key, request: E::Request, reply: ReplyTo<E>, now: Instant) {
        if self.count >= MAX_PARKED {
            warn!(
                waiting = self.count,
                "too many requests wait for a handoff; one more is refused"
            );
            return reply.answer(Err(Refusal::Overloaded));
        }
        self.count += 1;
        self.by_key.entry(key).or_default().push(Parked {
            since: now,
            request,
            reply,
        });
    }

    /// Takes the requests for one key to which an answer is still awaited, in the order in which they came.
    pub(super) fn take(&mut self, key: &Key) -> Vec<Parked<E>> {
        let mut parked = self.by_key.remove(key).unwrap_or_default();
        self.count -= parked.len();
        parked.retain(|parked| parked.reply.is_awaited());
        parked
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.by_key.keys().cloned().collect()
    }

    /// Refuses the requests that have waited for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let mut expired = 0;
        for waiting in self.by_key.values_mut() {
            for parked in waiting.extract_if(.., |parked| now.duration_since(parked.since) > PARKED_FOR) {
                expired += 1;
                parked.reply.answer(Err(Refusal::Overloaded));
            }
        }
        if expired > 0 {
            warn!(
                expired,
                "a handoff did not end in time; requests that waited for it are refused"
            );
            self.count -= expired;
            self.by_key.retain(|_, waiting| !waiting.is_empty());
        }
    }
}
