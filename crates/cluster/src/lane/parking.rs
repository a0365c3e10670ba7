//! Requests for entities that may be on their way here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracing::warn;

use crate::{
    ask::Refusal,
    entity::{Entities, ReplyTo, Weigh},
    shard::Key,
};

/// Requests that wait for a handoff to end, per lane. Further ones are refused, so their clients try again.
const MAX_PARKED: usize = 10_000;
/// What they may weigh together, in bytes; one that weighs more than that alone is refused, too.
const MAX_PARKED_BYTES: usize = 8 << 20;
/// How long a request waits for a handoff to end before it is refused.
const PARKED_FOR: Duration = Duration::from_secs(10);

/// A request that waits.
pub(super) struct Parked<E: Entities> {
    since: Instant,
    weight: usize,
    pub(super) request: E::Request,
    pub(super) reply: ReplyTo<E>,
}

/// The requests of one lane that wait.
pub(super) struct Parking<E: Entities> {
    by_key: HashMap<Key, Vec<Parked<E>>>,
    load: Load,
}

/// How many requests wait, and what they weigh.
#[derive(Debug, Default, PartialEq, Eq)]
struct Load {
    count: usize,
    bytes: usize,
}

impl Load {
    /// Counts one more, unless that is too much.
    fn add(&mut self, weight: usize) -> bool {
        let bytes = self.bytes.saturating_add(weight);
        let fits = self.count < MAX_PARKED && bytes <= MAX_PARKED_BYTES;
        if fits {
            self.count += 1;
            self.bytes = bytes;
        }
        fits
    }

    fn remove(&mut self, weight: usize) {
        self.count -= 1;
        self.bytes -= weight;
    }
}

impl<E: Entities> Parking<E> {
    pub(super) fn new() -> Self {
        Self {
            by_key: HashMap::new(),
            load: Load::default(),
        }
    }

    /// Keeps a request, or refuses it where too many wait.
    pub(super) fn park(&mut self, key: Key, request: E::Request, reply: ReplyTo<E>, now: Instant) {
        let weight = request.weight();
        if !self.load.add(weight) {
            warn!(
                waiting = self.load.count,
                bytes = self.load.bytes,
                "too many requests wait for a handoff; one more is refused"
            );
            return reply.answer(Err(Refusal::Overloaded));
        }
        self.by_key.entry(key).or_default().push(Parked {
            since: now,
            weight,
            request,
            reply,
        });
    }

    /// Takes the requests for one key to which an answer is still awaited, in the order in which they came.
    pub(super) fn take(&mut self, key: &Key) -> Vec<Parked<E>> {
        let mut parked = self.by_key.remove(key).unwrap_or_default();
        for parked in &parked {
            self.load.remove(parked.weight);
        }
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
                self.load.remove(parked.weight);
                parked.reply.answer(Err(Refusal::Overloaded));
            }
        }
        if expired > 0 {
            warn!(
                expired,
                "a handoff did not end in time; requests that waited for it are refused"
            );
            self.by_key.retain(|_, waiting| !waiting.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_large_requests_wait_and_many_small_ones() {
        let mut load = Load::default();
        let megabyte = 1 << 20;
        assert_eq!((0..100).filter(|_| load.add(megabyte)).count(), 8);
        assert!(!load.add(1));
        load.remove(megabyte);
        assert!(!load.add(megabyte + 1));
        assert!(load.add(megabyte));

        let mut load = Load::default();
        assert_eq!((0..20_000).filter(|_| load.add(100)).count(), MAX_PARKED);
        for _ in 0..MAX_PARKED {
            load.remove(100);
        }
        assert_eq!(load, Load::default());
        assert!(!load.add(usize::MAX));
    }
}
