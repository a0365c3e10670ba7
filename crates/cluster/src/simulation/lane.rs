//! The lane of a simulated node. It does with the pure machines what `LaneState` does; see there for the reasons.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use super::{
    entity::{Entity, Since},
    message::{Answer, Ask, Asker, Deed, LaneMessage, Message},
    router::{Router, Sight},
    rules::{Rules, Sabotage},
};
use crate::{
    handoff::{Action, Handoff, Outcome},
    lane::barriers::{Barriers, Waiting},
    log::{Log, LogLimits, Marks, Pushed},
    member::NodeId,
    shard::{Key, Placement},
    topic::{Publication, Subscribed, Topic},
};

#[derive(Default)]
struct Preparation {
    topics: Vec<Topic>,
    waits_for: BTreeSet<Topic>,
    askers: Vec<Asker>,
}

/// An entity that is on its way in.
struct Arriving {
    from: NodeId,
    attempt: u64,
    snapshot: Entity,
    marks: Marks,
    asker: Asker,
}

struct Frozen {
    attempt: u64,
    snapshot: Entity,
    marks: Marks,
}

pub(super) struct Lane {
    rules: Rules,
    pub(super) placement: Arc<Placement>,
    placements: u64,
    pub(super) entities: BTreeMap<Key, Entity>,
    pub(super) log: Log<()>,
    pub(super) handoff: Handoff,
    subscriptions: BTreeMap<Topic, usize>,
    pending: BTreeSet<Topic>,
    parked: BTreeMap<Key, Vec<Asker>>,
    preparations: BTreeMap<Key, Preparation>,
    frozen: BTreeMap<Key, Frozen>,
    attempts: u64,
    barriers: Barriers,
    /// The last attempt with which each entity came here, though it may have gone on.
    arrived: BTreeMap<Key, (NodeId, u64)>,
    followers: BTreeMap<NodeId, Option<u64>>,
    is_flush_requested: bool,
    done: bool,
    step: u64,
    now: Instant,
}

impl Lane {
    pub(super) fn new(
        placement: Arc<Placement>,
        rules: Rules,
        moves_in_flight: usize,
        log: LogLimits,
        now: Instant,
    ) -> Self {
        Self {
            rules,
            placement,
            placements: 0,
            entities: BTreeMap::new(),
            log: Log::new(log),
            handoff: Handoff::new(moves_in_flight),
            subscriptions: BTreeMap::new(),
            pending: BTreeSet::new(),
            parked: BTreeMap::new(),
            preparations: BTreeMap::new(),
            frozen: BTreeMap::new(),
            attempts: 0,
            barriers: Barriers::default(),
            arrived: BTreeMap::new(),
            followers: BTreeMap::new(),
            is_flush_requested: false,
            done: true,
            step: 0,
            now,
        }
    }

    /// Whether a copy here acts, as opposed to one that waits for its adopter's word.
    pub(super) fn is_live(&self, key: &Key) -> bool {
        self.entities.contains_key(key) && !self.handoff.is_frozen(key)
    }

    /// Whether nothing waits here.
    pub(super) fn is_calm(&self) -> bool {
        self.handoff.is_done()
            && self.done
            && self.parked.is_empty()
            && self
                .entities
                .values()
                .all(|entity| !entity.is_busy && entity.topics.values().all(|since| *since != Since::Pending))
    }

    pub(super) fn is_followed_by(&self, node: &NodeId) -> bool {
        self.followers.contains_key(node)
    }

    pub(super) fn turn(&mut self, router: &mut Router, message: LaneMessage, step: u64, now: Instant) {
        (self.step, self.now) = (step, now);
        match message {
            LaneMessage::Ask { asker, key, ask } => match ask {
                Ask::Find => self.find(router, key, asker),
                Ask::Prepare { topics } => self.prepare(router, key, topics, asker),
                Ask::Adopt {
                    attempt,
                    snapshot,
                    marks,
                } => {
                    let from = match &asker {
                        Asker::There(peer, _) => peer.clone(),
                        Asker::Here(_) => router.me.clone(),
                    };
                    let arriving = Arriving {
                        from,
                        attempt,
                        snapshot,
                        marks,
                        asker,
                    };
                    self.take_in(router, key, arriving);
                }
            },
            LaneMessage::Publication(publication) => self.publication(router, &publication),
            LaneMessage::Subscribed(topic) => self.subscribed(router, &topic),
            LaneMessage::Placed(placement) => self.placed(router, placement),
            LaneMessage::Settled { fingerprint } => {
                if fingerprint == self.placement.fingerprint() {
                    self.unpark_all(router);
                }
            }
            LaneMessage::Passed {
                node,
                barrier,
                number,
            } => {
                self.log.passed(&node, number, self.now);
                self.request_flush(router);
                let waiting = self.barriers.passed(barrier, &node);
                self.passed(waiting);
            }
            LaneMessage::LinkUp(node) => {
                if let Some(told) = self.followers.get_mut(&node) {
                    *told = None;
                }
                self.tell_followers(router);
                for barrier in self.barriers.waiting_for(&node) {
                    router.send_barrier(&node, barrier);
                }
            }
            LaneMessage::LinkDown(node) => {
                let waiting = self.barriers.link_down(&node);
                self.passed(waiting);
            }
            LaneMessage::Prepared { key, to, outcome } => self.handoff.prepared(&key, &to, outcome),
            LaneMessage::Adopted { key, to, outcome } => {
                self.handoff.adopted(&key, &to, outcome);
                if outcome == Outcome::TargetGone {
                    self.plan(router);
                }
            }
            LaneMessage::Flush => {
                self.is_flush_requested = false;
                self.tell_followers(router);
            }
            LaneMessage::Deed(deed) => self.deed(router, deed),
        }
        self.settle_moves(router);
    }

    // What entities do

    fn deed(&mut self, router: &mut Router, deed: Deed) {
        match deed {
            Deed::Create(key, topics) => {
                if self.placement.owner_of(&key) == Some(&router.me) && !self.entities.contains_key(&key) {
                    let topics = topics.into_iter().map(|topic| {
                        let since = self.subscribe_now(router, &topic);
                        (topic, since)
                    });
                    let mut entity = Entity::default();
                    entity.topics.extend(topics);
                    self.entities.insert(key.clone(), entity);
                    router.see(Sight::Created(key.clone()));
                    self.unpark(router, &key);
                }
            }
            Deed::End(key) if self.is_live(&key) => {
                self.forget(router, &key);
                self.handoff.gone(&key);
                router.see(Sight::Ended(key));
            }
            Deed::Join(key, topic) if self.is_live(&key) => {
                if !self.entities[&key].topics.contains_key(&topic) {
                    let since = self.subscribe_now(router, &topic);
                    self.alter(&key, |entity| entity.topics.extend([(topic, since)]));
                }
            }
            Deed::Part(key, topic) if self.is_live(&key) => {
                let mut was_there = false;
                self.alter(&key, |entity| was_there = entity.topics.remove(&topic).is_some());
                if was_there {
                    self.unsubscribe(router, &topic);
                }
            }
            Deed::Start(key) if self.is_live(&key) && !self.handoff.is_freezing(&key) => {
                self.alter(&key, |entity| entity.is_busy = true);
            }
            Deed::Finish(key) => {
                self.alter(&key, |entity| entity.is_busy = false);
                if self.handoff.is_freezing(&key) {
                    self.freeze(router, &key);
                }
            }
            Deed::Follow(node) => {
                if self.placement.view().member(&node).is_some() && !self.followers.contains_key(&node) {
                    self.followers.insert(node.clone(), None);
                    self.tell_follower(router, &node);
                }
            }
            Deed::End(_) | Deed::Join(..) | Deed::Part(..) | Deed::Start(_) => {}
        }
    }

    fn alter(&mut self, key: &Key, change: impl FnOnce(&mut Entity)) {
        if let Some(entity) = self.entities.get_mut(key) {
            change(entity);
        }
    }

    fn serve(&mut self, router: &mut Router, key: &Key, publication: &Publication<()>) {
        if let Some(entity) = self.entities.get_mut(key)
            && let Err(disorder) = entity.hear(publication)
        {
            router.see(Sight::OutOfOrder {
                key: key.clone(),
                origin: publication.origin.clone(),
                number: publication.number,
                after: disorder.after,
            });
        }
    }

    /// Drops the copy that is here.
    fn forget(&mut self, router: &mut Router, key: &Key) {
        if let Some(entity) = self.entities.remove(key) {
            for topic in entity.topics.keys() {
                self.unsubscribe(router, topic);
            }
        }
    }

    // Topics

    fn subscribe(&mut self, router: &mut Router, topic: &Topic) -> Subscribed {
        let count = self.subscriptions.entry(topic.clone()).or_default();
        *count += 1;
        if *count == 1 {
            self.log.begin_topic(topic);
            if router.subscribe(topic) == Subscribed::Pending {
                self.pending.insert(topic.clone());
            }
        }
        if self.pending.contains(topic) {
            Subscribed::Pending
        } else {
            Subscribed::Now
        }
    }

    fn subscribe_now(&mut self, router: &mut Router, topic: &Topic) -> Since {
        match self.subscribe(router, topic) {
            Subscribed::Now => Since::Step(self.step),
            Subscribed::Pending => Since::Pending,
        }
    }

    fn unsubscribe(&mut self, router: &mut Router, topic: &Topic) {
        let Some(count) = self.subscriptions.get_mut(topic) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.subscriptions.remove(topic);
            self.pending.remove(topic);
            self.log.end_topic(topic);
            router.unsubscribe(topic);
        }
    }

    fn subscribed(&mut self, router: &mut Router, topic: &Topic) {
        if !self.pending.remove(topic) {
            return;
        }
        for preparation in self.preparations.values_mut() {
            preparation.waits_for.remove(topic);
            preparation.answer_when_ready(router);
        }
        for entity in self.entities.values_mut() {
            if let Some(since @ Since::Pending) = entity.topics.get_mut(topic) {
                *since = Since::Step(self.step);
            }
        }
    }

    fn publication(&mut self, router: &mut Router, publication: &Arc<Publication<()>>) {
        if self.log.push(publication, self.now) == Pushed::New {
            let live = self.entities.keys().filter(|key| self.is_live(key));
            for key in live.cloned().collect::<Vec<Key>>() {
                self.serve(router, &key, publication);
            }
            self.request_flush(router);
        }
    }

    fn request_flush(&mut self, router: &mut Router) {
        if !self.is_flush_requested {
            self.is_flush_requested = true;
            router.mailbox.push_back(LaneMessage::Flush);
        }
    }

    // Followers

    fn tell_followers(&mut self, router: &mut Router) {
        let end = self.log.end().entry;
        let behind = self.followers.iter().filter(|(_, told)| **told != Some(end));
        let nodes: Vec<NodeId> = behind.map(|(node, _)| node.clone()).collect();
        for node in nodes {
            self.tell_follower(router, &node);
        }
    }

    fn tell_follower(&mut self, router: &mut Router, node: &NodeId) {
        if let Some(told) = self.followers.get_mut(node) {
            let part = Message::Trace(self.log.trace_after(*told));
            *told = router.send(node, part).then_some(self.log.end().entry);
        }
    }

    // Requests

    fn find(&mut self, router: &mut Router, key: Key, asker: Asker) {
        if self.handoff.is_frozen(&key) {
            return router.answer(asker, Answer::NotOwner);
        }
        if self.entities.contains_key(&key) {
            return router.answer(asker, Answer::Found);
        }
        if self.placement.owner_of(&key) != Some(&router.me) {
            return router.answer(asker, Answer::NotOwner);
        }
        let sure = router.settled() == Some(self.placement.fingerprint());
        if !sure && self.rules.sabotage != Some(Sabotage::NeverDoubt) {
            self.parked.entry(key).or_default().push(asker);
        } else {
            router.answer(asker, Answer::Unknown);
            router.see(Sight::Unknown(key));
        }
    }

    fn unpark(&mut self, router: &mut Router, key: &Key) {
        for asker in self.parked.remove(key).unwrap_or_default() {
            self.find(router, key.clone(), asker);
        }
    }

    fn unpark_all(&mut self, router: &mut Router) {
        let keys: Vec<Key> = self.parked.keys().cloned().collect();
        keys.iter().for_each(|key| self.unpark(router, key));
    }

    // Arrivals

    fn prepare(&mut self, router: &mut Router, key: Key, topics: Vec<Topic>, asker: Asker) {
        if self.placement.owner_of(&key) != Some(&router.me) {
            return router.answer(asker, Answer::NotOwner);
        }
        let mut preparation = Preparation::default();
        for topic in &topics {
            if self.subscribe(router, topic) == Subscribed::Pending {
                preparation.waits_for.insert(topic.clone());
            }
        }
        preparation.topics = topics;
        if let Some(earlier) = self.preparations.remove(&key) {
            for topic in &earlier.topics {
                self.unsubscribe(router, topic);
            }
            preparation.askers = earlier.askers;
        }
        preparation.askers.push(asker);
        preparation.answer_when_ready(router);
        self.preparations.insert(key, preparation);
    }

    fn passed(&mut self, waiting: impl IntoIterator<Item = Waiting>) {
        for waiting in waiting {
            if let Waiting::Handoff { round } = waiting {
                self.handoff.barrier_passed(round);
            }
        }
    }

    fn take_in(&mut self, router: &mut Router, key: Key, arriving: Arriving) {
        let Arriving {
            from,
            attempt,
            mut snapshot,
            marks,
            asker,
        } = arriving;
        let arrival = (from, attempt);
        if !self.entities.contains_key(&key) {
            if self.arrived.get(&key) == Some(&arrival) {
                return router.answer(asker, Answer::Adopted);
            }
            if self.placement.owner_of(&key) != Some(&router.me) {
                return router.answer(asker, Answer::NotOwner);
            }
        }
        self.arrived.insert(key.clone(), arrival);
        let is_welcome = self
            .entities
            .get(&key)
            .is_none_or(|here| snapshot.count() > here.count());
        if is_welcome {
            self.forget(router, &key);
            let topics: Vec<Topic> = snapshot.topics.keys().cloned().collect();
            for topic in topics {
                let since = self.subscribe_now(router, &topic);
                let pending = snapshot
                    .topics
                    .get_mut(&topic)
                    .filter(|since| **since == Since::Pending);
                if let Some(pending) = pending {
                    *pending = since;
                }
            }
            let count = snapshot.count();
            snapshot.served_up_to(&marks);
            self.entities.insert(key.clone(), snapshot);
            router.see(Sight::Adopted(key.clone()));
            match self.rules.sabotage {
                Some(Sabotage::NoCatchUp) => {}
                Some(Sabotage::CountForMarks) => self.catch_up(router, &key, &Marks::default(), count),
                _ => self.catch_up(router, &key, &marks, 0),
            }
        } else {
            router.see(Sight::NotBetter(key.clone()));
        }
        if let Some(preparation) = self.preparations.remove(&key) {
            for topic in &preparation.topics {
                self.unsubscribe(router, topic);
            }
        }
        router.answer(asker, Answer::Adopted);
        self.unpark(router, &key);
    }

    /// Serves an entity what was published after `marks`, but for the first `skipped`.
    fn catch_up(&mut self, router: &mut Router, key: &Key, marks: &Marks, skipped: usize) {
        let Some(entity) = self.entities.get(key) else {
            return;
        };
        let topics: Vec<Topic> = entity.topics.keys().cloned().collect();
        match self.log.after(marks, &topics) {
            Ok(missed) => {
                for entry in missed.into_iter().skip(skipped) {
                    self.serve(router, key, &entry.publication);
                }
            }
            Err(_) => {
                self.forget(router, key);
                self.handoff.gone(key);
                router.see(Sight::TooLate(key.clone()));
            }
        }
    }

    // Departures

    fn placed(&mut self, router: &mut Router, placement: Arc<Placement>) {
        self.placements += 1;
        self.placement = placement.clone();
        self.followers
            .retain(|node, _| placement.view().member(node).is_some());
        self.arrived
            .retain(|_, (from, _)| placement.view().member(from).is_some());
        let waiting = self
            .barriers
            .members_changed(|node| placement.view().member(node).is_some(), |_| false);
        self.passed(waiting);
        self.plan(router);
        self.done = false;
        self.unpark_all(router);
    }

    fn plan(&mut self, router: &Router) {
        let owner = |key: &Key| {
            self.placement
                .owner_of(key)
                .filter(|owner| **owner != router.me)
                .cloned()
        };
        let targets = self
            .entities
            .keys()
            .filter_map(|key| Some((key.clone(), owner(key)?)));
        self.handoff.plan(targets.collect());
    }

    fn settle_moves(&mut self, router: &mut Router) {
        while let Some(action) = self.handoff.next_action() {
            match action {
                Action::Prepare { key, to } => {
                    let topics = self.entities.get(&key).map(|entity| &entity.topics);
                    let topics = topics.into_iter().flat_map(BTreeMap::keys).cloned().collect();
                    router.start_task(key, Some(to), Ask::Prepare { topics });
                }
                Action::Barrier { round } => {
                    if self.rules.sabotage == Some(Sabotage::NoBarrier) {
                        self.handoff.barrier_passed(round);
                        continue;
                    }
                    let nodes = router.barrier_nodes();
                    let barrier = self.barriers.raise(nodes.clone(), Waiting::Handoff { round });
                    nodes.iter().for_each(|node| router.send_barrier(node, barrier));
                }
                Action::Freeze { key } => self.freeze(router, &key),
                Action::Adopt { key, to } => {
                    if let Some(frozen) = self.frozen.get(&key) {
                        let ask = Ask::Adopt {
                            attempt: frozen.attempt,
                            snapshot: frozen.snapshot.clone(),
                            marks: frozen.marks.clone(),
                        };
                        router.start_task(key.clone(), Some(to.clone()), ask);
                        if self.rules.sabotage == Some(Sabotage::RemoveUnconfirmed) {
                            self.remove(router, key, to);
                        }
                    }
                }
                Action::Remove { key, to } => self.remove(router, key, to),
                Action::Thaw { key } => {
                    router.see(Sight::Thawed(key.clone()));
                    if let Some(frozen) = self.frozen.remove(&key) {
                        self.catch_up(router, &key, &frozen.marks, 0);
                    }
                }
            }
        }
        if self.handoff.is_done() && !self.done {
            self.done = true;
            router.lane_done(self.placements);
        }
    }

    fn freeze(&mut self, router: &mut Router, key: &Key) {
        if let Some(entity) = self.entities.get(key).filter(|entity| !entity.is_busy) {
            self.attempts += 1;
            let frozen = Frozen {
                attempt: self.attempts,
                snapshot: entity.clone(),
                marks: self.log.seen().clone(),
            };
            self.frozen.insert(key.clone(), frozen);
            self.handoff.frozen(key);
            router.see(Sight::Frozen(key.clone()));
        }
    }

    fn remove(&mut self, router: &mut Router, key: Key, to: NodeId) {
        self.frozen.remove(&key);
        self.forget(router, &key);
        router.see(Sight::Removed { key, to });
    }
}

impl Preparation {
    fn answer_when_ready(&mut self, router: &mut Router) {
        if self.waits_for.is_empty() {
            for asker in self.askers.drain(..) {
                router.answer(asker, Answer::Prepared);
            }
        }
    }
}
