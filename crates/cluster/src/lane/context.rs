//! What a lane offers to the entities that it hosts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use tracing::info;

use super::{
    LaneHandle, LaneMessage, LaneRef,
    barriers::{Barriers, Waiting},
    doubt::Doubt,
    histories::HistoryWant,
    replicas::Standby,
};
use crate::{
    cluster::Cluster,
    entity::Entities,
    log::{Entry, Gap, Log, LogLimits, Marks, Position},
    member::NodeId,
    router::Router,
    shard::{Key, Placement},
    topic::{Publication, Subscribed, Topic},
};

/// One call of [`Lane::commit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitId(pub u64);

/// What a lane offers to the entities that it hosts.
pub struct Lane<E: Entities> {
    pub(super) index: usize,
    pub(super) router: Arc<Router<E>>,
    pub(super) myself: LaneRef<E>,
    pub(super) placement: Arc<Placement>,
    subscriptions: HashMap<Topic, usize>,
    /// Subscriptions that are not in force yet, with the changes that announced them.
    pub(super) pending: HashMap<Topic, u64>,
    /// Topics whose histories are to be asked for when their subscriptions are in force, and whose entities' owners know
    /// them.
    pub(super) histories_to_ask: HashMap<Topic, Vec<(NodeId, Key)>>,
    /// Who wants to know histories from this lane.
    pub(super) histories_wanted: Vec<HistoryWant>,
    pub(super) log: Log<E::Publication>,
    pub(super) now: Instant,
    pub(super) flush_requested: bool,
    /// Whether the turn is ending: what is asked for now is done before it has ended.
    pub(super) is_flushing: bool,
    /// Entities that have become able to be frozen.
    pub(super) calmed: Vec<Key>,
    /// Entities that ended by themselves.
    pub(super) ended: Vec<Key>,
    /// Entities whose standby has an old replica.
    pub(super) changed: HashSet<Key>,
    /// Nodes that are to know the order of this lane's log, and up to which entry they do.
    pub(super) followers: HashMap<NodeId, Option<u64>>,
    pub(super) barriers: Barriers,
    /// Whether standbys keep replicas.
    replicate: bool,
    /// Who keeps the replica of each entity that lives here.
    pub(super) standbys: HashMap<Key, Standby>,
    /// Entities that want their standbys to know how they are.
    pub(super) commits: Vec<(Key, CommitId)>,
    last_commit: u64,
    last_version: u64,
    /// Nodes that have what an entity published since it last committed, and which its standby does not hear.
    pub(super) witnesses: HashMap<Key, HashSet<NodeId>>,
    /// After a pause, until every member has said whether this node was counted out.
    pub(super) doubt: Option<Doubt<E>>,
}

/// What somebody missed, in its order.
#[derive(Debug)]
pub struct Missed<P> {
    /// What was published before this lane heard the topics: no [`Position`] in its log stands for it.
    pub before: Vec<Arc<Publication<P>>>,
    /// What stands in the lane's log.
    pub entries: Vec<Entry<P>>,
}

impl<E: Entities> Lane<E> {
    pub(super) fn new(
        index: usize,
        router: Arc<Router<E>>,
        myself: LaneRef<E>,
        limits: LogLimits,
        replicate: bool,
    ) -> Self {
        Self {
            index,
            placement: router.placement(),
            router,
            myself,
            subscriptions: HashMap::new(),
            pending: HashMap::new(),
            histories_to_ask: HashMap::new(),
            histories_wanted: Vec::new(),
            log: Log::new(limits),
            now: Instant::now(),
            flush_requested: false,
            is_flushing: false,
            calmed: Vec::new(),
            ended: Vec::new(),
            changed: HashSet::new(),
            followers: HashMap::new(),
            barriers: Barriers::default(),
            replicate,
            standbys: HashMap::new(),
            commits: Vec::new(),
            last_commit: 0,
            last_version: 0,
            witnesses: HashMap::new(),
            doubt: None,
        }
    }

    /// Which of the node's lanes this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether the entities may live on elsewhere, for this node was paused. Nothing may come of them before it is known.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// The node that this lane runs on.
    pub fn node(&self) -> &NodeId {
        self.router.me()
    }

    /// When the message that is being handled was taken from the mailbox.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Where every shard lives, as of this lane's turn.
    pub fn placement(&self) -> &Arc<Placement> {
        &self.placement
    }

    /// The lane's own address, for the tasks that its entities start.
    pub fn handle(&self) -> LaneHandle<E> {
        LaneHandle(self.myself.clone())
    }

    /// The cluster, for the tasks that its entities start.
    pub fn cluster(&self) -> Cluster<E> {
        Cluster::of(self.router.clone())
    }

    /// Asks for [`Entities::flush`] at the end of this turn: when all that waits in the mailbox now is handled.
    pub fn request_flush(&mut self) {
        if !self.flush_requested {
            self.flush_requested = true;
            self.myself.tell(LaneMessage::Flush);
        }
    }

    /// From now on this lane is told what is published to the topic. Counted: each needs an
    /// [`unsubscribe`](Self::unsubscribe).
    pub fn subscribe(&mut self, topic: &Topic) -> Subscribed {
        let count = self.subscriptions.entry(topic.clone()).or_default();
        *count += 1;
        if *count == 1 {
            self.log.begin_topic(topic);
            let change = self.router.subscribe(topic, self.index);
            self.pending.insert(topic.clone(), change);
        }
        if self.pending.contains_key(topic) {
            Subscribed::Pending
        } else {
            Subscribed::Now
        }
    }

    /// Takes one subscription back.
    pub fn unsubscribe(&mut self, topic: &Topic) {
        let Some(count) = self.subscriptions.get_mut(topic) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.subscriptions.remove(topic);
            self.pending.remove(topic);
            self.histories_to_ask.remove(topic);
            self.log.end_topic(topic);
            self.router.unsubscribe(topic, self.index);
        }
    }

    /// Publishes to all subscribers of the topic in the cluster, this lane's included. What the entity `by` publishes has
    /// left this node for another when its next [`commit`](Self::commit) is done.
    ///
    /// A `cause` other than 0 makes that what it caused is heard once, even if this entity does again what it did before
    /// its owner died.
    pub fn publish(&mut self, by: &Key, topic: Topic, cause: u64, payload: E::Publication) {
        let standby = self.standby(by);
        let hearers = self.router.publish(topic, cause, payload, standby.clone());
        // One is enough: when this node is gone, it passes on what others miss.
        if let Some(standby) = standby
            && !hearers.contains(&standby)
            && let Some(witness) = hearers.iter().find(|node| self.router.is_linked(node))
        {
            self.witnesses
                .entry(by.clone())
                .or_default()
                .insert(witness.clone());
        }
    }

    /// The node that is to keep the replica of an entity which lives here.
    pub(super) fn standby(&self, key: &Key) -> Option<NodeId> {
        if !self.replicate {
            return None;
        }
        let shard = self.placement.shards().shard_of(key);
        let standby = if self.placement.is_mine(shard) {
            self.placement.standby(shard)
        } else {
            // It is about to move. Until then the one that has its replica keeps it.
            self.standbys.get(key).map(|standby| &standby.node)
        }?;
        let is_member = self.placement.view().member(standby).is_some();
        (is_member && standby != self.node()).then(|| standby.clone())
    }

    /// A number that tells one state of an entity's replica from all others.
    pub(super) fn next_version(&mut self) -> u64 {
        self.last_version += 1;
        self.last_version
    }

    /// Tells the lanes of another node something. False when there is no link to it.
    ///
    /// That node follows this lane's log from now on, so that it can tell what a [`Position`] in it stands for.
    pub fn send(&mut self, to: &NodeId, direct: &E::Direct) -> bool {
        self.follow(to);
        self.router.direct(to, direct)
    }

    pub(super) fn follow(&mut self, node: &NodeId) {
        if !self.followers.contains_key(node) {
            self.followers.insert(node.clone(), None);
            self.tell_follower(node);
        }
    }

    /// Tells all followers the order of what was published since they were told last.
    pub(super) fn tell_followers(&mut self) {
        let end = self.log.end().entry;
        let behind = |told: &Option<u64>| *told != Some(end);
        let nodes: Vec<NodeId> = self
            .followers
            .iter()
            .filter(|(_, told)| behind(told))
            .map(|(node, _)| node.clone())
            .collect();
        nodes.iter().for_each(|node| self.tell_follower(node));
    }

    fn tell_follower(&mut self, node: &NodeId) {
        let Some(told) = self.followers.get_mut(node) else {
            return;
        };
        // Without a link it is told all when there is one.
        *told = self
            .router
            .trace(node, self.log.trace_after(*told))
            .then_some(self.log.end().entry);
    }

    /// Whether so much waits to be sent to a node that what clients cause has to wait; [`Entities::tick`] is a good time to look
    /// again.
    pub fn is_congested(&self, node: &NodeId) -> bool {
        self.router.is_congested(node)
    }

    /// Whether that is so for any node: then nothing should be published.
    pub fn is_any_congested(&self) -> bool {
        self.router.is_any_congested()
    }

    /// How far this lane's log goes: what is being published now is its last entry.
    pub fn position(&self) -> Position {
        self.log.end()
    }

    /// The marks that a position stands for, in this lane's log or in that of another lane which this node followed.
    pub fn marks_at(&self, position: Position) -> Option<Marks> {
        if position.log == self.log.end().log {
            self.log.marks_at(position.entry)
        } else {
            self.router.marks_at(position)
        }
    }

    /// How far this lane has been served, per origin.
    pub fn marks(&self) -> &Marks {
        self.log.seen()
    }

    /// What was published to `topics` after `marks`, also before this lane heard them. None when some of it is not kept.
    pub fn published_after(&self, marks: &Marks, topics: &[Topic]) -> Option<Missed<E::Publication>> {
        let before = self.log.inherited_after(marks, topics, self.now);
        kept(before).and_then(|before| {
            let entries = self.published_since(marks, topics)?;
            Some(Missed { before, entries })
        })
    }

    /// As [`published_after`](Self::published_after), for somebody who has missed nothing that was published before this
    /// lane heard the topics.
    pub fn published_since(&self, marks: &Marks, topics: &[Topic]) -> Option<Vec<Entry<E::Publication>>> {
        kept(self.log.after(marks, topics))
    }

    /// The last position in this lane's log before anything that was published to `topics` after `marks`.
    pub fn position_before(&self, marks: &Marks, topics: &[Topic]) -> Position {
        match self.log.after(marks, topics).ok().as_deref() {
            Some([first, ..]) => Position {
                entry: first.position.entry - 1,
                ..first.position
            },
            _ => self.position(),
        }
    }

    /// Asks all other nodes for what they had published before now; [`Entities::passed`] is called when it is here.
    pub fn barrier(&mut self, key: &Key) {
        self.raise(self.router.barrier_nodes(), Waiting::Entity(key.clone()));
    }

    /// Nodes are to say that they got what was sent to them before, behind what they had sent. Histories that are wanted
    /// are told before what waits for this happens.
    pub(super) fn raise(&mut self, nodes: HashSet<NodeId>, waiting: Waiting) -> u64 {
        self.raise_for_histories();
        self.raise_one(nodes, waiting)
    }

    /// What others want to know is told when all is here that was published before they heard it themselves.
    pub(super) fn raise_for_histories(&mut self) {
        if !self.histories_wanted.is_empty() {
            let wanted = std::mem::take(&mut self.histories_wanted);
            self.raise_one(self.router.barrier_nodes(), Waiting::Histories(wanted));
        }
    }

    fn raise_one(&mut self, nodes: HashSet<NodeId>, waiting: Waiting) -> u64 {
        let barrier = self.barriers.raise(nodes.clone(), waiting);
        for node in nodes {
            self.router.send_barrier(&node, self.index, barrier);
        }
        barrier
    }

    /// To be called, best in [`Entities::flush`], when an entity is about to do what its standby must know of before. Then
    /// [`Entities::committed`] is called, unless the entity has moved or ended. None if there is nobody to know.
    pub fn commit(&mut self, key: &Key) -> Option<CommitId> {
        self.standby(key)?;
        self.last_commit += 1;
        let commit = CommitId(self.last_commit);
        self.changed.remove(key);
        self.commits.push((key.clone(), commit));
        if !self.is_flushing {
            self.request_flush();
        }
        Some(commit)
    }

    /// To be called when an entity has changed so that its replica is out of date.
    pub fn changed(&mut self, key: &Key) {
        if !self.changed.contains(key) {
            self.changed.insert(key.clone());
            if !self.is_flushing {
                self.request_flush();
            }
        }
    }

    /// To be called when an entity that could not be frozen has become able to be.
    pub fn calm(&mut self, key: &Key) {
        self.calmed.push(key.clone());
    }

    /// To be called when an entity has ended by itself.
    pub fn ended(&mut self, key: &Key) {
        self.changed.remove(key);
        self.witnesses.remove(key);
        self.ended.push(key.clone());
    }
}

fn kept<T>(missed: Result<T, Gap>) -> Option<T> {
    match missed {
        Ok(missed) => Some(missed),
        Err(gap) => {
            info!(%gap, "cannot replay: required publications are no longer retained");
            None
        }
    }
}
