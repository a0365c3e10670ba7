//! Who hears several topics, in the order of each, and can say up to where it has: a client that may lose its connection,
//! or the node that serves it.
//!
//! A listener's [`Memberships`] are replicated; how far it has heard is not, for it knows that itself: each thing that it
//! is told comes with an *offset*, and the last one that it shows is where it goes on. A client that returns, a connection
//! whose listener has moved, and a listener whose node has died are one operation, [`Listener::attach`].
//!
//! An offset means something in the history of the listener's shard in which it was given. After a split there may be another:
//! whoever hands offsets out adds the place of the last change that they depend on, and asks
//! [`Core::has`](crate::Core::has) when one is shown.
//!
//! # What is published to several topics at once
//! Such a publication is sequenced in one topic after the other, and each copy names where the earlier ones stand. A
//! listener takes it through the first of the topics that it was in there, and through no other: a function of its
//! memberships alone, so that a repetition decides the same.

mod memberships;
mod offset;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Debug,
};

pub use self::memberships::{Change, Memberships, Slot, Version};
use self::offset::{Offset, Unreadable};
use crate::ids::Position;

/// An offset never names more memberships: until what was heard is replicated, others wait.
const MOST_NAMED: usize = 32;

/// What is told to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<P> {
    /// What was published.
    pub payload: P,
    /// Up to where the listener has heard, this included.
    pub offset: String,
}

/// What was published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard<T, P> {
    /// Where it stands in the order of the topic.
    pub at: Position,
    /// The topics in which it stands too, and was sequenced before, with the places there.
    pub earlier: Vec<(T, Position)>,
    /// What.
    pub payload: P,
}

/// What a listener has missed of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<T> {
    /// The membership.
    pub slot: Slot,
    /// The topic, to be replayed from `from` on and given to [`Listener::replayed`].
    pub topic: T,
    /// Up to where the listener has heard it.
    pub from: Position,
    /// Whether the listener is in the topic still: then it is to be subscribed to before the replay is asked for.
    pub is_current: bool,
}

/// The listener has to begin anew: what it shows does not belong to it, or is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the listener has heard is not known any more")]
pub struct CannotResume;

/// One who hears several topics.
#[derive(Debug)]
pub struct Listener<T, P> {
    memberships: Memberships<T>,
    /// The changes up to this one will not be lost.
    committed: Version,
    /// The listener was told all of those memberships that had ended at this version.
    settled: Version,
    /// Those that have ended since, and are replayed.
    ending: BTreeSet<Slot>,
    hearing: BTreeMap<Slot, Hearing<T, P>>,
    replaying: BTreeSet<Slot>,
    /// Where something waits that cannot be told yet.
    blocked: BTreeSet<Slot>,
    /// How far memberships have moved on since what was known at the settled version.
    moved: BTreeMap<Slot, Position>,
}

/// How far one membership is.
#[derive(Debug)]
struct Hearing<T, P> {
    /// Up to where the listener was told, or need not be.
    at: Position,
    /// What it cannot be told yet.
    waiting: VecDeque<Heard<T, P>>,
}

impl<T: Clone + Ord + Debug, P> Listener<T, P> {
    /// When an offset names so many memberships, it is time to [advance](Self::advance).
    pub const MANY_NAMED: usize = 24;

    /// Who hears nothing yet.
    pub fn new(life: u32) -> Self {
        Self {
            memberships: Memberships::new(life),
            committed: Version::default(),
            settled: Version::default(),
            ending: BTreeSet::new(),
            hearing: BTreeMap::new(),
            replaying: BTreeSet::new(),
            blocked: BTreeSet::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Goes on with a listener that has heard up to an offset. Without one, or with one of another listener, it has heard
    /// nothing: a client goes on to show the old one until it is told something. All that is known of its memberships must
    /// be committed.
    ///
    /// # Errors
    /// When that is too old: the listener has to begin anew.
    pub fn attach(
        memberships: Memberships<T>,
        offset: Option<&str>,
    ) -> Result<(Self, Vec<Missing<T>>), CannotResume> {
        let offset = match offset.map(|text| Offset::decode(text, &memberships)) {
            None | Some(Err(Unreadable::Foreign)) => None,
            Some(Err(Unreadable::Unknown)) => return Err(CannotResume),
            Some(Ok(offset)) => Some(offset),
        };
        let (version, heard) = offset.map_or_else(Default::default, |offset| (offset.version, offset.heard));
        if version < memberships.oldest() {
            return Err(CannotResume);
        }
        let mut named: BTreeMap<Slot, Position> = heard.into_iter().collect();
        let mut hearing = BTreeMap::new();
        let mut missing = Vec::new();
        for (slot, membership) in memberships.iter() {
            if !membership.is_open(version) {
                continue;
            }
            let from = named.remove(&slot).unwrap_or_else(|| membership.base(version));
            let is_current = membership.left.is_none();
            if membership.left.is_none_or(|(_, end)| from.number < end.number) {
                let topic = membership.topic.clone();
                missing.push(Missing {
                    slot,
                    topic,
                    from,
                    is_current,
                });
            }
            hearing.insert(slot, Hearing::from(from));
        }
        let mut listener = Self {
            committed: memberships.version(),
            settled: version,
            ending: missing
                .iter()
                .filter(|missing| !missing.is_current)
                .map(|missing| missing.slot)
                .collect(),
            replaying: missing.iter().map(|missing| missing.slot).collect(),
            memberships,
            hearing,
            blocked: BTreeSet::new(),
            moved: BTreeMap::new(),
        };
        listener.settle();
        Ok((listener, missing))
    }

    /// What is to be replicated of it.
    pub fn memberships(&self) -> &Memberships<T> {
        &self.memberships
    }

    /// What waits to be told: for a commit, for a replay, or for another topic. Whoever owns the listener bounds it.
    pub fn waiting(&self) -> impl Iterator<Item = &P> {
        // What waits in no blocked membership waits for its turn in this moment only.
        let blocked = self.blocked.iter().filter_map(|slot| self.hearing.get(slot));
        blocked.flat_map(|hearing| hearing.waiting.iter().map(|heard| &heard.payload))
    }

    /// Whether it is in a topic.
    pub fn is_in(&self, topic: &T) -> bool {
        self.memberships.current(topic).is_some()
    }

    /// Joins a topic behind a position, from which on all that is published to it must be [heard](Self::hear). Nothing if
    /// it is in the topic already.
    pub fn join(&mut self, topic: T, base: Position) -> Option<Change<T>> {
        if self.is_in(&topic) {
            return None;
        }
        let change = self.change(Change::Joined {
            topic: topic.clone(),
            base,
        });
        if let Some(slot) = self.memberships.current(&topic) {
            self.hearing.insert(slot, Hearing::from(base));
        }
        Some(change)
    }

    /// Leaves a topic at the place up to which it has heard it. Nothing if it is not in the topic.
    pub fn leave(&mut self, topic: &T) -> Option<Change<T>> {
        let slot = self.memberships.current(topic)?;
        let at = self.hearing.remove(&slot)?.at;
        self.replaying.remove(&slot);
        self.blocked.remove(&slot);
        Some(self.change(Change::Left { slot, at }))
    }

    /// How many memberships an offset names. When these are [many](Self::MANY_NAMED), it is time to [advance](Self::advance).
    pub fn named(&self) -> usize {
        self.moved.len()
    }

    /// Replicates what was heard: offsets are short again once this is committed. Nothing while other changes are not.
    pub fn advance(&mut self) -> Option<Change<T>> {
        let version = self.memberships.version();
        if self.moved.is_empty() || version > self.settled {
            return None;
        }
        let moved = self.moved_since(version).into_iter().collect();
        Some(self.change(Change::Advanced(moved)))
    }

    /// Ends what is known of the past before a version.
    pub fn forget(&mut self, before: Version) -> Change<T> {
        self.change(Change::Forgotten(before))
    }

    fn change(&mut self, change: Change<T>) -> Change<T> {
        self.memberships.apply(&change);
        change
    }

    /// The changes up to a version are committed. Returns what may be told by that.
    pub fn committed(&mut self, version: Version) -> Vec<Told<P>> {
        self.committed = self.committed.max(version);
        self.settle();
        self.tell(None)
    }

    /// Goes on to what is committed as soon as nothing that has ended is to be told any more.
    fn settle(&mut self) {
        if self.ending.is_empty() {
            self.settled = self.committed;
        }
        self.moved = self.moved_since(self.settled);
    }

    /// Something was published to a topic, and came in its order. Returns what may be told by that.
    pub fn hear(&mut self, topic: &T, heard: Heard<T, P>) -> Vec<Told<P>> {
        match self.memberships.current(topic) {
            // The replay has it.
            Some(slot) if !self.replaying.contains(&slot) => {
                self.take(slot, heard);
                self.tell(Some(slot))
            }
            _ => Vec::new(),
        }
    }

    /// What was missed of a topic, or a piece of it.
    pub fn replayed(&mut self, slot: Slot, missed: Vec<Heard<T, P>>, is_last: bool) -> Vec<Told<P>> {
        if !self.replaying.contains(&slot) {
            return Vec::new();
        }
        for heard in missed {
            self.take(slot, heard);
        }
        if is_last {
            self.replaying.remove(&slot);
        }
        self.tell(Some(slot))
    }

    fn take(&mut self, slot: Slot, heard: Heard<T, P>) {
        let is_for_it = |membership: &memberships::Membership<T>| membership.contains(heard.at);
        if !self.memberships.get(slot).is_some_and(is_for_it) {
            return;
        }
        if let Some(hearing) = self.hearing.get_mut(&slot) {
            let last = hearing.waiting.back().map_or(hearing.at, |last| last.at);
            if heard.at.number > last.number {
                hearing.waiting.push_back(heard);
            }
        }
    }

    /// Tells what need not wait, in a membership and in those that had to wait.
    fn tell(&mut self, slot: Option<Slot>) -> Vec<Told<P>> {
        let mut told = Vec::new();
        self.blocked.extend(slot);
        loop {
            let mut has_moved = false;
            for slot in std::mem::take(&mut self.blocked) {
                has_moved |= self.tell_one(slot, &mut told);
            }
            // What was told or skipped may be what others wait for.
            if !has_moved || self.blocked.is_empty() {
                return told;
            }
        }
    }

    /// Tells what need not wait in one membership, and returns whether that moved on.
    fn tell_one(&mut self, slot: Slot, told: &mut Vec<Told<P>>) -> bool {
        let mut has_moved = false;
        while let Some(way) = self.next_way(slot) {
            if way == Way::Blocked {
                self.blocked.insert(slot);
                break;
            }
            let next = self.hearing.get_mut(&slot).and_then(|hearing| {
                let heard = hearing.waiting.pop_front()?;
                hearing.at = heard.at;
                Some(heard)
            });
            let Some(heard) = next else { break };
            has_moved = true;
            self.note(slot, heard.at);
            if way == Way::Here {
                told.push(Told {
                    payload: heard.payload,
                    offset: self.offset(),
                });
            }
        }
        let is_told = !self.replaying.contains(&slot) && !self.blocked.contains(&slot);
        if is_told && self.ending.remove(&slot) {
            self.hearing.remove(&slot);
            self.settle();
        }
        has_moved
    }

    /// How the listener is told what comes next in a topic; none if nothing waits.
    fn next_way(&self, slot: Slot) -> Option<Way> {
        let next = self.hearing.get(&slot)?.waiting.front()?;
        let is_named = self.moved.contains_key(&slot) || self.moved.len() < MOST_NAMED;
        if self.memberships.get(slot)?.joined > self.committed || !is_named {
            return Some(Way::Blocked);
        }
        for (topic, at) in &next.earlier {
            let first = self.memberships.iter().find(|(_, membership)| {
                membership.topic == *topic && membership.contained(*at, self.committed)
            });
            if let Some((first, membership)) = first {
                let has_heard = match self.hearing.get(&first) {
                    Some(hearing) => hearing.at.number >= at.number,
                    // It was left. Behind its end the copy is for another topic, once nobody will take the end back.
                    None => membership.contains(*at),
                };
                return Some(if has_heard { Way::Elsewhere } else { Way::Blocked });
            }
        }
        Some(Way::Here)
    }

    /// Up to where the listener has heard, for it to show when it returns.
    pub fn offset(&self) -> String {
        let offset = Offset {
            version: self.settled,
            heard: self.moved.iter().map(|(slot, at)| (*slot, *at)).collect(),
        };
        offset.encode(&self.memberships)
    }

    fn note(&mut self, slot: Slot, at: Position) {
        let settled = self.settled;
        let is_moved = self.memberships.get(slot).is_some_and(|membership| {
            membership.is_open(settled) && at.number > membership.base(settled).number
        });
        if is_moved {
            self.moved.insert(slot, at);
        }
    }

    /// Up to where it has heard what had not ended at a version, if that is more than what was known there.
    fn moved_since(&self, version: Version) -> BTreeMap<Slot, Position> {
        let open = self.memberships.iter();
        open.filter(|(_, membership)| membership.is_open(version) && membership.joined <= self.committed)
            .filter_map(|(slot, membership)| {
                let at = match (self.hearing.get(&slot), membership.left) {
                    (Some(hearing), _) => hearing.at,
                    (None, Some((_, end))) => end,
                    (None, None) => return None,
                };
                (at.number > membership.base(version).number).then_some((slot, at))
            })
            .collect()
    }
}

/// Through which topic something is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Here,
    /// Through an earlier one, or it was already.
    Elsewhere,
    /// That is not known yet.
    Blocked,
}

impl<T, P> From<Position> for Hearing<T, P> {
    fn from(at: Position) -> Self {
        Self {
            at,
            waiting: VecDeque::new(),
        }
    }
}
