//! Sees everything, and says what must not be.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NodeId, Position, ShardId};

use super::node::{Records, Said, Topic};
use crate::log::{Body, Log};

#[derive(Default)]
pub(super) struct Judge {
    /// Records that somebody was told are safe.
    safe: BTreeMap<ShardId, BTreeSet<u64>>,
    /// Where each publication was heard or confirmed.
    places: BTreeMap<(Topic, Said), Position>,
    by_place: BTreeMap<Topic, BTreeMap<u64, Said>>,
    /// What publishers were told is safe.
    confirmed: BTreeSet<(Topic, Said)>,
    /// Up to which number the entries of a shard were seen to be committed.
    seen: BTreeMap<ShardId, u64>,
    hearings: BTreeMap<(NodeId, Topic), Hearing>,
    keeps_all: bool,
}

struct Hearing {
    base: u64,
    heard: Vec<u64>,
}

pub(super) type Verdict = Result<(), String>;

impl Judge {
    pub(super) fn new(keeps_all: bool) -> Self {
        Self {
            keeps_all,
            ..Self::default()
        }
    }

    pub(super) fn safe(&mut self, shard: ShardId, record: u64) {
        self.safe.entry(shard).or_default().insert(record);
    }

    /// A node begins to serve a shard with this state.
    pub(super) fn promoted(&self, node: &NodeId, shard: ShardId, state: &[u64]) -> Verdict {
        let mut unique = state.to_vec();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() != state.len() {
            return Err(format!("{node} holds {shard:?} with a doubled record"));
        }
        let missing: Vec<_> = self
            .safe
            .get(&shard)
            .into_iter()
            .flatten()
            .filter(|record| !state.contains(record))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{node} holds {shard:?} without the safe records {missing:?}"
            ))
        }
    }

    fn place(&mut self, topic: Topic, said: Said, at: Position) -> Verdict {
        let former = *self.places.entry((topic, said)).or_insert(at);
        if former != at {
            return Err(format!(
                "{said:?} stands at {former:?} and at {at:?} of {topic:?}"
            ));
        }
        let occupant = *self
            .by_place
            .entry(topic)
            .or_default()
            .entry(at.number())
            .or_insert(said);
        if occupant != said {
            return Err(format!("{at:?} of {topic:?} is {occupant:?} and {said:?}"));
        }
        Ok(())
    }

    /// A holder says that its entries are committed up to a number.
    pub(super) fn committed(&mut self, shard: ShardId, log: &Log<Records>, number: u64) -> Verdict {
        let seen = self.seen.entry(shard).or_default();
        let from = std::mem::replace(seen, number.max(*seen));
        for entry in log.range(from, number) {
            if let Body::Publication(publication) = &entry.body {
                self.place(publication.topic, publication.payload, entry.at)?;
            }
        }
        Ok(())
    }

    /// A publisher was told that this one and all its earlier ones are safe.
    pub(super) fn confirmed(&mut self, topic: Topic, said: Said) {
        self.confirmed.insert((topic, said));
    }

    pub(super) fn subscribed(&mut self, node: &NodeId, topic: Topic, base: Position) {
        let hearing = Hearing {
            base: base.number(),
            heard: Vec::new(),
        };
        self.hearings.insert((node.clone(), topic), hearing);
    }

    /// A node is told that it has missed something, which is right only where little is kept.
    pub(super) fn gap(&mut self, node: &NodeId, topic: Topic, base: Position) -> Verdict {
        if self.keeps_all {
            return Err(format!("{node} is told of a gap in {topic:?} before {base:?}"));
        }
        self.subscribed(node, topic, base);
        Ok(())
    }

    pub(super) fn delivered(&mut self, node: &NodeId, topic: Topic, said: Said, at: Position) -> Verdict {
        self.place(topic, said, at)?;
        let Some(hearing) = self.hearings.get_mut(&(node.clone(), topic)) else {
            return Err(format!(
                "{node} hears {said:?} of {topic:?} without a subscription"
            ));
        };
        let last = hearing.heard.last().copied().unwrap_or(hearing.base);
        if at.number() <= last {
            return Err(format!("{node} hears {at:?} of {topic:?} after {last}"));
        }
        hearing.heard.push(at.number());
        Ok(())
    }

    pub(super) fn dead(&mut self, node: &NodeId) {
        self.hearings.retain(|(listener, _), _| listener != node);
    }

    /// Whether everybody has heard everything, when nothing is on its way any more.
    pub(super) fn final_verdict(&self) -> Verdict {
        for ((node, topic), hearing) in &self.hearings {
            let all = self.by_place.get(topic).into_iter().flatten();
            let expected: Vec<u64> = all.map(|(at, _)| *at).filter(|at| *at > hearing.base).collect();
            if expected != hearing.heard {
                let missed: Vec<_> = expected.iter().filter(|at| !hearing.heard.contains(at)).collect();
                return Err(format!("{node} has missed {missed:?} of {topic:?}"));
            }
        }
        let mut last: BTreeMap<(Topic, u32), (u64, u64)> = BTreeMap::new();
        for ((topic, said), at) in &self.places {
            if let Some((sequence, number)) =
                last.insert((*topic, said.producer), (said.sequence, at.number()))
                && number >= at.number()
            {
                return Err(format!("{sequence} stands behind {said:?} in {topic:?}"));
            }
        }
        let mut confirmed = self.confirmed.iter();
        match confirmed.find(|confirmed| !self.places.contains_key(confirmed)) {
            // Where little is kept, what is committed may be forgotten before this judge looks.
            Some((topic, said)) if self.keeps_all => {
                Err(format!("{said:?} to {topic:?} was confirmed and stands nowhere"))
            }
            _ => Ok(()),
        }
    }
}
