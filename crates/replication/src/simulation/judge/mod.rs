//! Sees everything, and says what must not be.

mod histories;

use std::collections::{BTreeMap, BTreeSet};

use crate::{NodeId, Position, ReplayId, ShardId};
use rand::{rngs::StdRng, seq::IteratorRandom};

use self::histories::Histories;
use super::node::{Post, Records, Said, State, Topic};
use crate::log::{Body, Log};

#[derive(Default)]
pub(super) struct Judge {
    /// Records that somebody was told are safe.
    safe: BTreeMap<ShardId, BTreeMap<u64, Position>>,
    /// Where each publication was heard or confirmed.
    places: BTreeMap<(Topic, Said), Position>,
    by_place: BTreeMap<Topic, BTreeMap<u64, Said>>,
    /// What was published, by topic and number.
    posts: BTreeMap<(Topic, u64), Post>,
    /// What publishers were told is safe.
    confirmed: BTreeSet<(Topic, Said)>,
    /// Up to which number the entries of a shard were seen to be committed, by who holds it.
    seen: BTreeMap<(ShardId, NodeId), u64>,
    histories: Histories,
    /// What nodes heard when a split ended: each may be told once that it cannot go on with that.
    unsettled: BTreeSet<(NodeId, Topic)>,
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
        self.safe
            .get(&shard)
            .is_some_and(|safe| safe.contains_key(&record))
    }

    pub(super) fn has_gap(&self, node: &NodeId, topic: Topic) -> bool {
        self.gaps.contains(&(node.clone(), topic))
    }

    /// What a node has heard of a topic since its subscription, or since the last gap.
    pub(super) fn heard(&self, node: &NodeId, topic: Topic) -> Vec<Said> {
        let hearing = self.hearings.get(&(node.clone(), topic));
        let heard = hearing.into_iter().flat_map(|hearing| &hearing.heard);
        heard
            .filter_map(|at| self.histories.at(topic.shard, *at))
            .collect()
    }

    pub(super) fn is_confirmed(&self, topic: Topic, said: Said) -> bool {
        self.confirmed.contains(&(topic, said))
    }

    pub(super) fn allow_loss(&mut self) {
        self.allows_loss = true;
    }

    pub(super) fn safe(&mut self, shard: ShardId, record: u64, at: Position, breaks: u32) {
        self.histories.commit(shard, at, breaks);
        self.safe.entry(shard).or_default().insert(record, at);
    }

    /// From now on nodes that do not see each other may both hold a shard.
    pub(super) fn split(&mut self) {
        self.histories.split();
    }

    pub(super) fn is_split(&self) -> bool {
        self.histories.is_split()
    }

    /// All see each other again, and this is what goes on of a shard. What only another side has had is lost; what the
    /// shard had before is not.
    pub(super) fn reconcile(
        &mut self,
        node: &NodeId,
        shard: ShardId,
        (log, committed): (&Log<Records>, u64),
        state: &State,
        breaks: u32,
    ) -> Verdict {
        self.places.retain(|(topic, _), _| topic.shard != shard);
        self.by_place.retain(|topic, _| topic.shard != shard);
        for entry in log.range(0, committed) {
            let Body::Publication(publication) = &entry.body else {
                continue;
            };
            let (topic, said) = (publication.topic, publication.payload.said);
            self.histories.place(topic, said, entry.at)?;
            if let Some(former) = self.places.insert((topic, said), entry.at) {
                return Err(format!(
                    "{said:?} stands at {former:?} and at {:?} of {topic:?}",
                    entry.at
                ));
            }
            let places = self.by_place.entry(topic).or_default();
            places.insert(entry.at.number(), said);
        }
        let histories = &self.histories;
        for (topic, said) in self.confirmed.iter().filter(|(topic, _)| topic.shard == shard) {
            let is_there = self.places.contains_key(&(*topic, *said));
            if !is_there && !histories.may_miss(*topic, *said, breaks) {
                return Err(format!(
                    "{said:?} to {topic:?} was confirmed and is lost by a split"
                ));
            }
        }
        for (record, at) in self.safe.get(&shard).into_iter().flatten() {
            let is_there = state.numbers.contains(record);
            if !is_there && !histories.may_be_lost(shard, *at, breaks) {
                return Err(format!("{record} in {shard:?} was safe and is lost by a split"));
            }
        }
        let places = &self.places;
        self.confirmed
            .retain(|confirmed| confirmed.0.shard != shard || places.contains_key(confirmed));
        if let Some(safe) = self.safe.get_mut(&shard) {
            safe.retain(|record, _| state.numbers.contains(record));
        }
        let heard = self.hearings.keys().filter(|(_, topic)| topic.shard == shard);
        self.unsettled.extend(heard.cloned());
        self.histories.survive(shard, breaks);
        self.promoted(node, shard, state)
    }

    /// All shards are [reconciled](Self::reconcile).
    pub(super) fn end_split(&mut self) {
        self.histories.end();
    }

    /// A node begins to serve a shard with this state.
    pub(super) fn promoted(&mut self, node: &NodeId, shard: ShardId, state: &State) -> Verdict {
        self.serving.insert(shard, node.clone());
        if self.is_split() {
            return Ok(());
        }
        self.is_complete(node, shard, state)
    }

    /// A node acts by what it has of a shard.
    pub(super) fn acted(&self, node: &NodeId, shard: ShardId, state: &State) -> Verdict {
        match self.serving.get(&shard) {
            _ if self.is_split() => Ok(()),
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
            .flat_map(BTreeMap::keys)
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
        self.histories.place(topic, said, at)?;
        if self.is_split() {
            self.places.insert((topic, said), at);
            self.by_place.entry(topic).or_default().insert(at.number(), said);
            return Ok(());
        }
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
    pub(super) fn committed(
        &mut self,
        node: &NodeId,
        shard: ShardId,
        (log, number): (&Log<Records>, u64),
        breaks: u32,
    ) -> Verdict {
        let seen = self.seen.entry((shard, node.clone())).or_default();
        let from = std::mem::replace(seen, number.max(*seen));
        for entry in log.range(from, number) {
            self.histories.commit(shard, entry.at, breaks);
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

    /// A node begins to hold a shard, with what is another history perhaps than the one it had before.
    pub(super) fn look_anew(&mut self, node: &NodeId, shard: ShardId) {
        self.seen.remove(&(shard, node.clone()));
    }

    /// A publisher was told that this one and all its earlier ones are safe.
    pub(super) fn confirmed(&mut self, topic: Topic, said: Said) {
        let is_there = self.places.contains_key(&(topic, said));
        // The word of a side that has ended may come late.
        if self.is_split() || is_there || !self.histories.is_lost(topic, said) {
            self.confirmed.insert((topic, said));
        }
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
        let is_unsettled = self.unsettled.remove(&(node.clone(), topic)) || self.is_split();
        if self.keeps_all && !is_unsettled {
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
        if expected != answer && !self.histories.was_split() {
            return Err(format!("{replay:?} is answered {answer:?}, not {expected:?}"));
        }
        replaying.told = told.max(through.number());
        if !is_last {
            self.replays.insert(replay, replaying);
            return Ok(());
        }
        let heard = self.hearings.get(&(replaying.node, replaying.topic));
        match heard.map(Hearing::last) {
            Some(last) if last.number() > through.number() && !self.histories.was_split() => Err(format!(
                "{replay:?} is answered through {through:?}, and {last:?} was heard before"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn not_replayable(&mut self, replay: ReplayId) -> Verdict {
        self.replays.remove(&replay);
        if self.keeps_all && !self.histories.was_split() {
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
            let expected: Vec<Position> = all
                .filter(|(at, _)| **at > base)
                .map(|(_, said)| self.places[&(*topic, *said)])
                .collect();
            if expected != hearing.heard {
                let missed = expected.iter().filter(|at| !hearing.heard.contains(at));
                let missed: Vec<_> = missed.collect();
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
