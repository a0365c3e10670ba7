//! Sees everything, and says what must not be.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NodeId, Position, ReplayId, ShardId};
use rand::{rngs::StdRng, seq::IteratorRandom};

use super::node::{Post, Records, Said, State, Topic};
use crate::log::{Body, Log};

#[derive(Default)]
pub(super) struct Judge {
    /// Records that somebody was told are safe.
    safe: BTreeMap<ShardId, BTreeSet<u64>>,
    /// Where each publication was heard or confirmed.
    places: BTreeMap<(Topic, Said), Position>,
    by_place: BTreeMap<Topic, BTreeMap<u64, Said>>,
    /// What was published, by topic and number.
    posts: BTreeMap<(Topic, u64), Post>,
    /// What publishers were told is safe.
    confirmed: BTreeSet<(Topic, Said)>,
    /// Up to which number the entries of a shard were seen to be committed.
    seen: BTreeMap<ShardId, u64>,
    hearings: BTreeMap<(NodeId, Topic), Hearing>,
    replays: BTreeMap<ReplayId, Replaying>,
    /// Who began to serve each shard last.
    serving: BTreeMap<ShardId, NodeId>,
    keeps_all: bool,
    gaps: Vec<(NodeId, Topic)>,
    /// Whether a place may be given anew, for all who had it are dead.
    allows_loss: bool,
}

struct Hearing {
    base: Position,
    heard: Vec<Position>,
}

impl Hearing {
    fn last(&self) -> Position {
        self.heard.last().copied().unwrap_or(self.base)
    }
}

/// What somebody at a node wants to know of a topic's past.
struct Replaying {
    node: NodeId,
    topic: Topic,
    told: u64,
}

pub(super) type Verdict = Result<(), String>;

impl Judge {
    pub(super) fn new(keeps_all: bool) -> Self {
        Self {
            keeps_all,
            ..Self::default()
        }
    }

    pub(super) fn is_safe(&self, shard: ShardId, record: u64) -> bool {
        self.safe.get(&shard).is_some_and(|safe| safe.contains(&record))
    }

    pub(super) fn has_gap(&self, node: &NodeId, topic: Topic) -> bool {
        self.gaps.contains(&(node.clone(), topic))
    }

    /// What a node has heard of a topic since its subscription, or since the last gap.
    pub(super) fn heard(&self, node: &NodeId, topic: Topic) -> Vec<Said> {
        let hearing = self.hearings.get(&(node.clone(), topic));
        let heard = hearing.into_iter().flat_map(|hearing| &hearing.heard);
        heard.map(|at| self.by_place[&topic][&at.number()]).collect()
    }

    pub(super) fn is_confirmed(&self, topic: Topic, said: Said) -> bool {
        self.confirmed.contains(&(topic, said))
    }

    pub(super) fn allow_loss(&mut self) {
        self.allows_loss = true;
    }

    pub(super) fn safe(&mut self, shard: ShardId, record: u64) {
        self.safe.entry(shard).or_default().insert(record);
    }

    /// A node begins to serve a shard with this state.
    pub(super) fn promoted(&mut self, node: &NodeId, shard: ShardId, state: &State) -> Verdict {
        self.serving.insert(shard, node.clone());
        self.is_complete(node, shard, state)
    }

    /// A node acts by what it has of a shard.
    pub(super) fn acted(&self, node: &NodeId, shard: ShardId, state: &State) -> Verdict {
        match self.serving.get(&shard) {
            Some(serving) if serving != node => {
                Err(format!("{node} acts on {shard:?}, which {serving} holds"))
            }
            _ => self.is_complete(node, shard, state),
        }
    }

    fn is_complete(&self, node: &NodeId, shard: ShardId, state: &State) -> Verdict {
        let mut unique = state.numbers.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() != state.numbers.len() {
            return Err(format!("{node} holds {shard:?} with a doubled record"));
        }
        let missing: Vec<_> = self
            .safe
            .get(&shard)
            .into_iter()
            .flatten()
            .filter(|record| !state.numbers.contains(record))
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
        if self.allows_loss {
            self.by_place.entry(topic).or_default().insert(at.number(), said);
        } else if occupant != said {
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
                let post = &publication.payload;
                self.place(publication.topic, post.said, entry.at)?;
                self.posts
                    .entry((publication.topic, entry.at.number()))
                    .or_insert_with(|| post.clone());
            }
        }
        Ok(())
    }

    /// A publisher was told that this one and all its earlier ones are safe.
    pub(super) fn confirmed(&mut self, topic: Topic, said: Said) {
        self.confirmed.insert((topic, said));
    }

    /// Where little is kept, what is committed may be forgotten before this judge looks, but not before it is heard.
    pub(super) fn note(&mut self, at: Position, post: &Post) {
        let place = (post.topic, at.number());
        self.posts.entry(place).or_insert_with(|| post.clone());
    }

    /// All that was published, with its place.
    pub(super) fn published(&self) -> impl Iterator<Item = (Topic, Position, &Post)> {
        let all = self.posts.iter();
        all.filter_map(|((topic, _), post)| Some((*topic, *self.places.get(&(*topic, post.said))?, post)))
    }

    pub(super) fn place_of(&self, topic: Topic, said: Said) -> Option<u64> {
        self.places.get(&(topic, said)).map(|at| at.number())
    }

    pub(super) fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    pub(super) fn subscribed(&mut self, node: &NodeId, topic: Topic, base: Position) {
        let hearing = Hearing {
            base,
            heard: Vec::new(),
        };
        self.hearings.insert((node.clone(), topic), hearing);
    }

    pub(super) fn unsubscribed(&mut self, node: &NodeId, topic: Topic) {
        self.hearings.remove(&(node.clone(), topic));
    }

    /// A node is told that it has missed something, which is right only where little is kept.
    pub(super) fn gap(&mut self, node: &NodeId, topic: Topic, base: Position) -> Verdict {
        if self.keeps_all {
            return Err(format!("{node} is told of a gap in {topic:?} before {base:?}"));
        }
        self.gaps.push((node.clone(), topic));
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
        let last = hearing.last();
        if at.number() <= last.number() {
            return Err(format!("{node} hears {at:?} of {topic:?} after {last:?}"));
        }
        hearing.heard.push(at);
        Ok(())
    }

    /// A topic that a node hears, and a place up to which it has heard it.
    pub(super) fn any_heard(&self, node: &NodeId, rng: &mut StdRng) -> Option<(Topic, Position)> {
        let mine = self.hearings.iter().filter(|((listener, _), _)| listener == node);
        let ((_, topic), hearing) = mine.choose(rng)?;
        let at = hearing.heard.iter().chain([&hearing.base]).choose(rng)?;
        Some((*topic, *at))
    }

    pub(super) fn replaying(&mut self, node: &NodeId, topic: Topic, from: Position, replay: ReplayId) {
        let replaying = Replaying {
            node: node.clone(),
            topic,
            told: from.number(),
        };
        self.replays.insert(replay, replaying);
    }

    pub(super) fn replayed(
        &mut self,
        replay: ReplayId,
        publications: &[(Position, Post)],
        through: Position,
        is_last: bool,
    ) -> Verdict {
        let Some(mut replaying) = self.replays.remove(&replay) else {
            return Err(format!("{replay:?} is answered twice"));
        };
        let told = replaying.told;
        let all = self.by_place.get(&replaying.topic).into_iter().flatten();
        let expected: Vec<_> = all
            .filter(|(at, _)| **at > told && **at <= through.number())
            .map(|(at, said)| (*at, *said))
            .collect();
        let answer: Vec<_> = publications
            .iter()
            .map(|(at, post)| (at.number(), post.said))
            .collect();
        if expected != answer {
            return Err(format!("{replay:?} is answered {answer:?}, not {expected:?}"));
        }
        replaying.told = told.max(through.number());
        if !is_last {
            self.replays.insert(replay, replaying);
            return Ok(());
        }
        let heard = self.hearings.get(&(replaying.node, replaying.topic));
        match heard.map(Hearing::last) {
            Some(last) if last.number() > through.number() => Err(format!(
                "{replay:?} is answered through {through:?}, and {last:?} was heard before"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn not_replayable(&mut self, replay: ReplayId) -> Verdict {
        self.replays.remove(&replay);
        if self.keeps_all {
            return Err(format!("{replay:?} cannot be answered"));
        }
        Ok(())
    }

    pub(super) fn dead(&mut self, node: &NodeId) {
        self.hearings.retain(|(listener, _), _| listener != node);
        self.replays.retain(|_, replaying| replaying.node != *node);
    }

    /// Whether everybody has heard everything, when nothing is on its way any more.
    pub(super) fn final_verdict(&self) -> Verdict {
        if let Some(replay) = self.replays.keys().next() {
            return Err(format!("{replay:?} is not answered"));
        }
        for ((node, topic), hearing) in &self.hearings {
            let all = self.by_place.get(topic).into_iter().flatten();
            let base = hearing.base.number();
            let expected: Vec<u64> = all.map(|(at, _)| *at).filter(|at| *at > base).collect();
            let heard: Vec<u64> = hearing.heard.iter().map(|at| at.number()).collect();
            if expected != heard {
                let missed: Vec<_> = expected.iter().filter(|at| !heard.contains(at)).collect();
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
