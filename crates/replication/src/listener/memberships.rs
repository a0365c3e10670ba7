//! Which topics a listener hears, and from where to where: the part of it that is replicated.

use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, Serialize};

use crate::ids::Position;

/// One membership of a listener in a topic. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub(super) u32);

/// Counts the changes of a listener's memberships.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub(super) u64);

/// A change of a listener's memberships: to be replicated, and applied by all copies in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change<T> {
    /// It hears a topic, behind this position.
    Joined {
        /// The topic.
        topic: T,
        /// The position.
        base: Position,
    },
    /// It does not hear any more what is behind this position.
    Left {
        /// The membership.
        slot: Slot,
        /// The position.
        at: Position,
    },
    /// It has heard so much: what it hears later is told apart by that.
    Advanced(Vec<(Slot, Position)>),
    /// Nobody returns any more with what it had heard at a version before this one.
    Forgotten(Version),
}

/// The topics that a listener hears, and has heard lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de> + Ord"))]
pub struct Memberships<T> {
    /// Drawn once, so that what belongs to another listener is recognised.
    life: u32,
    version: Version,
    /// Before it, nothing is known any more.
    oldest: Version,
    next: Slot,
    slots: BTreeMap<Slot, Membership<T>>,
    /// Those that have not ended.
    current: BTreeMap<T, Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership<T> {
    pub(super) topic: T,
    pub(super) joined: Version,
    /// Behind it the membership begins.
    pub(super) start: Position,
    /// Up to where the listener had heard, as is replicated, by version.
    bases: Vec<(Version, Position)>,
    pub(super) left: Option<(Version, Position)>,
}

impl<T> Membership<T> {
    /// Up to where the listener had heard at least, by what was known at a version.
    pub(super) fn base(&self, version: Version) -> Position {
        let later = self.bases.partition_point(|(since, _)| *since <= version);
        later
            .checked_sub(1)
            .map_or(self.start, |index| self.bases[index].1)
    }

    /// Whether the listener had not left at a version.
    pub(super) fn is_open(&self, version: Version) -> bool {
        self.left.is_none_or(|(left, _)| left > version)
    }

    /// Whether a publication at this position is for the listener.
    pub(super) fn contains(&self, at: Position) -> bool {
        at.number > self.start.number && self.left.is_none_or(|(_, end)| at.number <= end.number)
    }

    /// The same by what is known at a version.
    pub(super) fn contained(&self, at: Position, version: Version) -> bool {
        self.contains(at)
            || at.number > self.start.number && self.left.is_some_and(|(left, _)| left > version)
    }
}

impl<T: Clone + Ord + Debug> Memberships<T> {
    /// Of a listener that hears nothing yet. Two listeners should not have the same `life`.
    pub fn new(life: u32) -> Self {
        Self {
            life,
            version: Version::default(),
            oldest: Version::default(),
            next: Slot(0),
            slots: BTreeMap::new(),
            current: BTreeMap::new(),
        }
    }

    /// Makes a change. Who applies the same changes in the same order comes to the same.
    pub fn apply(&mut self, change: &Change<T>) {
        self.version.0 += 1;
        let version = self.version;
        match change {
            Change::Joined { topic, base } => {
                let membership = Membership {
                    topic: topic.clone(),
                    joined: version,
                    start: *base,
                    bases: Vec::new(),
                    left: None,
                };
                self.slots.insert(self.next, membership);
                self.current.insert(topic.clone(), self.next);
                self.next.0 += 1;
            }
            Change::Left { slot, at } => {
                if let Some(membership) = self.slots.get_mut(slot) {
                    membership.left = Some((version, *at));
                    self.current.remove(&membership.topic);
                }
            }
            Change::Advanced(heard) => {
                for (slot, at) in heard {
                    if let Some(membership) = self.slots.get_mut(slot) {
                        membership.bases.push((version, *at));
                    }
                }
            }
            Change::Forgotten(before) => self.forget(*before),
        }
    }

    fn forget(&mut self, before: Version) {
        self.oldest = self.oldest.max(before);
        let oldest = self.oldest;
        self.slots.retain(|_, membership| {
            let known = membership.bases.partition_point(|(since, _)| *since <= oldest);
            membership.bases.drain(..known.saturating_sub(1));
            membership.left.is_none_or(|(left, _)| left > oldest)
        });
    }

    /// How many changes were made.
    pub fn version(&self) -> Version {
        self.version
    }

    pub(super) fn life(&self) -> u32 {
        self.life
    }

    pub(super) fn oldest(&self) -> Version {
        self.oldest
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Membership<T>> {
        self.slots.get(&slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Membership<T>)> {
        self.slots.iter().map(|(slot, membership)| (*slot, membership))
    }

    /// The membership in a topic that has not ended.
    pub(super) fn current(&self, topic: &T) -> Option<Slot> {
        self.current.get(topic).copied()
    }

    /// Whether what stands there in a topic is for the listener.
    #[cfg(test)]
    pub(crate) fn hears(&self, topic: &T, at: Position) -> bool {
        let mut all = self.slots.values();
        all.any(|membership| membership.topic == *topic && membership.contains(at))
    }

    /// The topics that the listener is in.
    pub fn topics(&self) -> impl Iterator<Item = &T> {
        self.current.keys()
    }
}
