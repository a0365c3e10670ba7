//! All that a shard is, as one node has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Position, Term},
    log::{Body, Entry, Log},
    message::Excerpt,
};

/// So many terms are remembered that ended before all that is kept: by them it is known of what somebody was told long ago
/// whether that was in this history. 24 bytes each.
const OLD_TERMS: usize = 1_000;

/// A copy of a shard: what its entries have made of it, and those entries that are kept.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Replica<A: Application> {
    state: A::State,
    log: Log<A>,
    /// The last publication of each topic that had one lately.
    heads: BTreeMap<TopicOf<A>, u64>,
    /// Topics whose last publication lies at or under this number may be missing in `heads`.
    heads_floor: u64,
    /// The last publication of each producer that published lately.
    produced: BTreeMap<ProducerOf<A>, Produced>,
}

/// How far a producer's publications are in the log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Produced {
    pub(crate) sequence: u64,
    /// The entry in which it stands.
    pub(crate) number: u64,
}

impl<A: Application> Replica<A> {
    pub(crate) fn state(&self) -> &A::State {
        &self.state
    }

    pub(crate) fn log(&self) -> &Log<A> {
        &self.log
    }

    pub(crate) fn last(&self) -> Position {
        self.log.last()
    }

    /// Appends what the holder has decided, in its term.
    pub(crate) fn decide(&mut self, term: Term, body: Body<A>) -> Position {
        let at = self.log.next(term);
        self.append(Entry { at, body });
        at
    }

    /// Appends an entry that [follows](Log::follows) directly.
    pub(crate) fn append(&mut self, entry: Entry<A>) {
        let number = entry.at.number;
        match &entry.body {
            Body::Opened => {}
            Body::Record(record) => A::apply(&mut self.state, record),
            Body::Publication(publication) => {
                self.heads.insert(publication.topic.clone(), number);
                let produced = Produced {
                    sequence: publication.sequence,
                    number,
                };
                self.produced.insert(publication.producer.clone(), produced);
            }
            Body::Trimmed { entries, idle } => self.forget(*entries, *idle),
        }
        self.log.push(entry);
    }

    fn forget(&mut self, entries: u64, idle: u64) {
        self.heads_floor = self.heads_floor.max(idle);
        self.heads.retain(|_, number| *number > idle);
        self.produced.retain(|_, produced| produced.number > idle);
        self.log.forget(entries);
        let needed = self.log.floor().min(self.heads_floor);
        self.log.forget_terms(needed, OLD_TERMS);
    }

    pub(crate) fn produced(&self, producer: &ProducerOf<A>) -> Option<Produced> {
        self.produced.get(producer).copied()
    }

    pub(crate) fn head(&self, topic: &TopicOf<A>) -> u64 {
        self.heads.get(topic).copied().unwrap_or(self.heads_floor)
    }

    /// What was published to a topic between where a subscriber stopped to hear and what is committed; no more than this
    /// many bytes of it, but one publication at least. None if it is not kept any more, or the subscriber comes from
    /// another history.
    pub(crate) fn missed(
        &self,
        topic: &TopicOf<A>,
        from: Position,
        committed: u64,
        bytes: usize,
    ) -> Option<Excerpt<A>> {
        if from.number > committed || !self.log.has(from) {
            return None;
        }
        if from.number < self.log.floor() {
            // Older than the log: fine if the topic is known to have been silent since.
            let is_silent = from.number >= self.heads_floor && self.head(topic) <= from.number;
            if !is_silent {
                return None;
            }
        }
        let mut excerpt = Excerpt {
            publications: Vec::new(),
            through: self.log.position(committed),
            is_all: true,
        };
        let mut size = 0;
        for entry in self.log.range(from.number, committed) {
            let Body::Publication(publication) = &entry.body else {
                continue;
            };
            if publication.topic != *topic {
                continue;
            }
            if size >= bytes {
                excerpt.is_all = false;
                if let Some((last, _)) = excerpt.publications.last() {
                    excerpt.through = *last;
                }
                break;
            }
            size += entry.size();
            excerpt.publications.push((entry.at, publication.clone()));
        }
        Some(excerpt)
    }
}

impl<A: Application> Default for Replica<A> {
    fn default() -> Self {
        Self {
            state: A::State::default(),
            log: Log::default(),
            heads: BTreeMap::new(),
            heads_floor: 0,
            produced: BTreeMap::new(),
        }
    }
}

impl<A: Application> Clone for Replica<A> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            log: self.log.clone(),
            heads: self.heads.clone(),
            heads_floor: self.heads_floor,
            produced: self.produced.clone(),
        }
    }
}

impl<A: Application> std::fmt::Debug for Replica<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "replica up to {:?}", self.last())
    }
}
