//! Leases: until when a holder may act on a shard's state without an entry in its log.
//!
//! A holder that was asleep does not know that its standby has taken over. What it appends is refused, by its term; but a
//! handler runs, and an answer leaves, before or without an append. So a holder acts only while it has a lease of its
//! standby: the standby's word that it will not promote itself for a while. The word counts from when it was asked for,
//! and the standby keeps it for longer than the holder relies on it. Only how fresh answers are depends on clocks that
//! run alike: nothing that was confirmed does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};

/// Whether a holder may act on a shard's state without an entry in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// At this moment it may.
    Held,
    /// It may ask again when [`Output::Leased`](crate::Output::Leased) names the shard.
    Pending,
}

/// What nodes say to each other about leases. One lease is for all shards of which two nodes are the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Leasing {
    Ask { number: u64 },
    Grant { number: u64 },
}

/// The leases that a node has, and has given.
#[derive(Debug)]
pub(crate) struct Leases {
    duration: Duration,
    /// For how long a standby keeps its word.
    guard: Duration,
    taken: BTreeMap<NodeId, Taken>,
    /// When this node last gave one, by who has it.
    given: BTreeMap<NodeId, Duration>,
    waiting: BTreeSet<ShardId>,
}

#[derive(Debug, Default)]
struct Taken {
    number: u64,
    /// When the request was sent that is not answered yet.
    asked: Option<Duration>,
    /// When the request was sent that was answered last.
    from: Option<Duration>,
}

impl Leases {
    pub(crate) fn new(duration: Duration, guard: Duration) -> Self {
        Self {
            duration,
            guard,
            taken: BTreeMap::new(),
            given: BTreeMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Whether there is a lease of this node, and what to ask it.
    pub(crate) fn take(&mut self, of: &NodeId, now: Duration) -> (Lease, Option<Leasing>) {
        let taken = self.taken.entry(of.clone()).or_default();
        let age = taken.from.map(|from| now.saturating_sub(from));
        let lease = match age {
            Some(age) if age < self.duration => Lease::Held,
            _ => Lease::Pending,
        };
        let is_fresh = age.is_some_and(|age| age < self.duration / 2);
        if is_fresh || taken.asked.is_some() {
            return (lease, None);
        }
        taken.number += 1;
        taken.asked = Some(now);
        let number = taken.number;
        (lease, Some(Leasing::Ask { number }))
    }

    /// Gives a lease to who asks.
    pub(crate) fn give(&mut self, to: &NodeId, number: u64, now: Duration) -> Leasing {
        self.given.insert(to.clone(), now);
        Leasing::Grant { number }
    }

    pub(crate) fn on_granted(&mut self, by: &NodeId, number: u64) {
        if let Some(taken) = self.taken.get_mut(by)
            && taken.number == number
            && let Some(asked) = taken.asked.take()
        {
            taken.from = Some(asked);
        }
    }

    /// From when on this node may promote itself in place of another one.
    pub(crate) fn ends_at(&self, holder: &NodeId) -> Duration {
        self.given
            .get(holder)
            .map_or(Duration::ZERO, |given| *given + self.guard)
    }

    /// What was on its way to or from a node may be lost.
    pub(crate) fn reset(&mut self, peer: &NodeId) {
        if let Some(taken) = self.taken.get_mut(peer) {
            taken.asked = None;
        }
    }

    /// Forgets what has no meaning any more.
    pub(crate) fn forget(&mut self, is_dead: impl Fn(&NodeId) -> bool, now: Duration) {
        self.taken.retain(|node, _| !is_dead(node));
        let guard = self.guard;
        self.given.retain(|_, given| *given + guard > now);
    }

    /// A shard is to be named as soon as its leases may have begun.
    pub(crate) fn wait(&mut self, shard: ShardId) {
        self.waiting.insert(shard);
    }

    pub(crate) fn end_wait(&mut self, shard: ShardId) {
        self.waiting.remove(&shard);
    }

    pub(crate) fn is_awaited(&self, shard: ShardId) -> bool {
        self.waiting.contains(&shard)
    }

    pub(crate) fn waiting(&self) -> Vec<ShardId> {
        self.waiting.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn leases() -> Leases {
        Leases::new(millis(500), millis(1_000))
    }

    #[test]
    fn a_lease_counts_from_when_it_was_asked_for() {
        let (mut leases, standby) = (leases(), NodeId::new("s", 1));
        let (lease, ask) = leases.take(&standby, millis(100));
        assert_eq!(lease, Lease::Pending);
        assert_eq!(ask, Some(Leasing::Ask { number: 1 }));
        leases.on_granted(&standby, 1);
        assert_eq!(leases.take(&standby, millis(599)).0, Lease::Held);
        assert_eq!(leases.take(&standby, millis(600)).0, Lease::Pending);
    }

    #[test]
    fn it_is_renewed_before_it_ends_and_asked_for_once() {
        let (mut leases, standby) = (leases(), NodeId::new("s", 1));
        leases.take(&standby, millis(0));
        assert_eq!(leases.take(&standby, millis(10)), (Lease::Pending, None));
        leases.on_granted(&standby, 1);
        assert_eq!(leases.take(&standby, millis(249)), (Lease::Held, None));
        let renewal = Leasing::Ask { number: 2 };
        assert_eq!(leases.take(&standby, millis(250)), (Lease::Held, Some(renewal)));
        assert_eq!(leases.take(&standby, millis(260)), (Lease::Held, None));
    }

    #[test]
    fn an_answer_to_a_request_that_was_lost_counts_for_nothing() {
        let (mut leases, standby) = (leases(), NodeId::new("s", 1));
        leases.take(&standby, millis(0));
        leases.reset(&standby);
        leases.take(&standby, millis(400));
        leases.on_granted(&standby, 1);
        assert_eq!(leases.take(&standby, millis(401)).0, Lease::Pending);
    }

    #[test]
    fn who_gave_one_keeps_its_word() {
        let (mut leases, holder) = (leases(), NodeId::new("h", 1));
        assert_eq!(leases.ends_at(&holder), Duration::ZERO);
        assert_eq!(leases.give(&holder, 7, millis(300)), Leasing::Grant { number: 7 });
        assert_eq!(leases.ends_at(&holder), millis(1_300));
        leases.forget(|_| true, millis(1_299));
        assert_eq!(leases.ends_at(&holder), millis(1_300));
        leases.forget(|_| true, millis(1_300));
        assert_eq!(leases.ends_at(&holder), Duration::ZERO);
    }
}
