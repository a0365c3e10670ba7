//! Entities that come to live here.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::LaneState;
use crate::{
    ask::{Answer, Refusal},
    entity::{Entities, ReplyTo},
    log::Marks,
    shard::Key,
    topic::{Subscribed, Topic},
};

/// How long a lane keeps the topics of an entity that was announced and does not come.
const PREPARED_FOR: Duration = Duration::from_secs(60);
/// How long a move is remembered whose answer may have been lost: longer than a link can be down and its node a member.
const ARRIVALS_KEPT_FOR: Duration = Duration::from_secs(300);

/// Topics that were subscribed for an entity about to come.
pub(super) struct Preparation<E: Entities> {
    since: Instant,
    topics: Vec<Topic>,
    pub(super) waits_for: HashSet<Topic>,
    replies: Vec<ReplyTo<E>>,
}

/// The moves by which entities came here, for whoever did not hear that they did.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    moves: HashSet<u64>,
    by_age: VecDeque<(Instant, u64)>,
}

impl Arrivals {
    fn note(&mut self, move_id: u64, now: Instant) {
        self.moves.insert(move_id);
        self.by_age.push_back((now, move_id));
    }

    fn contains(&self, move_id: u64) -> bool {
        self.moves.contains(&move_id)
    }

    fn expire(&mut self, now: Instant) {
        while let Some((arrived, move_id)) = self.by_age.front()
            && now.duration_since(*arrived) >= ARRIVALS_KEPT_FOR
        {
            self.moves.remove(move_id);
            self.by_age.pop_front();
        }
    }
}

impl<E: Entities> LaneState<E> {
    /// An entity is about to come: subscribes to its topics.
    pub(super) fn prepare(&mut self, key: Key, topics: Vec<Topic>, reply: ReplyTo<E>) {
        let shard = self.lane.placement.shards().shard_of(&key);
        if !self.lane.placement.is_mine(shard) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        let source = reply.peer().cloned();
        // Subscribe first, so that what an earlier preparation holds is not given up in between.
        let waits_for = topics
            .iter()
            .filter(|topic| self.lane.subscribe(topic) == Subscribed::Pending);
        let waits_for = waits_for.cloned().collect::<Vec<_>>().into_iter().collect();
        if let Some(source) = source {
            self.lane.ask_history(&source, &key, &topics);
        }
        let earlier = self.preparations.remove(&key);
        let mut replies = vec![reply];
        if let Some(earlier) = earlier {
            earlier
                .topics
                .iter()
                .for_each(|topic| self.lane.unsubscribe(topic));
            replies.extend(earlier.replies);
        }
        let mut preparation = Preparation {
            since: self.lane.now,
            topics,
            waits_for,
            replies,
        };
        preparation.answer_when_ready();
        self.preparations.insert(key, preparation);
    }

    pub(super) fn forget_preparation(&mut self, key: &Key) {
        if let Some(preparation) = self.preparations.remove(key) {
            preparation
                .topics
                .iter()
                .for_each(|topic| self.lane.unsubscribe(topic));
        }
    }

    /// Whether these topics have been heard here since the entity was announced, and every node knows of it.
    fn is_prepared(&self, key: &Key, topics: &[Topic]) -> bool {
        match self.preparations.get(key) {
            Some(ready) => {
                ready.waits_for.is_empty() && topics.iter().all(|topic| ready.topics.contains(topic))
            }
            None => topics.is_empty(),
        }
    }

    /// The topics of entities that did not come are given up.
    pub(super) fn expire_preparations(&mut self) {
        let now = self.lane.now;
        let late = |preparation: &Preparation<E>| now.duration_since(preparation.since) > PREPARED_FOR;
        let late: Vec<Key> = self
            .preparations
            .iter()
            .filter(|(_, one)| late(one))
            .map(|(key, _)| key.clone())
            .collect();
        late.iter().for_each(|key| self.forget_preparation(key));
        self.arrived.expire(now);
    }

    /// An entity comes. If it lives here already, the better copy stays: after a partition there may be two, and a
    /// question may be asked again whose answer was lost.
    pub(super) fn adopt(
        &mut self,
        key: &Key,
        move_id: u64,
        snapshot: E::Snapshot,
        marks: &Marks,
        reply: ReplyTo<E>,
    ) {
        if self.arrived.contains(move_id) {
            // Our answer was lost. The entity may have gone on or ended since.
            return reply.answer(Ok(Answer::Adopted));
        }
        let shard = self.lane.placement.shards().shard_of(key);
        if !self.entities.contains(key) && !self.lane.placement.is_mine(shard) {
            return reply.answer(Err(Refusal::NotOwner));
        }
        if !self.is_prepared(key, &E::topics_of(&snapshot)) {
            // It joined a topic since it was announced, or was announced too long ago: once more, with all its topics.
            return reply.answer(Err(Refusal::NotOwner));
        }
        self.arrived.note(move_id, self.lane.now);
        let mut welcome = true;
        if self.entities.contains(key) {
            welcome = self.entities.is_better(key, &snapshot);
            if welcome {
                self.guarded(Some(key), |entities, lane| entities.remove(lane, key));
            }
        }
        if welcome {
            self.guarded(Some(key), |entities, lane| {
                entities.adopt(lane, key, snapshot, marks)
            });
            self.catch_up(key, marks);
            self.guarded(Some(key), |entities, lane| entities.resume(lane, key));
            self.lane.changed(key);
        }
        self.replicas.forget(&mut self.lane, key);
        self.forget_preparation(key);
        reply.answer(Ok(Answer::Adopted));
        self.unpark(key);
    }
}

impl<E: Entities> Preparation<E> {
    pub(super) fn answer_when_ready(&mut self) {
        if self.waits_for.is_empty() {
            for reply in self.replies.drain(..) {
                reply.answer(Ok(Answer::Prepared));
            }
        }
    }
}
