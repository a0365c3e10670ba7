//! Replicas: what the standby of a shard keeps of its entities, so that it can go on when their owner dies.

use std::collections::{BTreeSet, HashMap, HashSet};

use tracing::{debug, info};

use super::{CommitId, Lane, LaneState, barriers::Waiting};
use crate::{
    ask::ReplicaUpdate,
    entity::{Change, Entities},
    links::LinkLife,
    member::NodeId,
    shard::{Key, ShardClass},
    topic::Topic,
};

/// Replicas sent per look at the time when a new standby has to be given all of them. At 50 looks a second a lane
/// gives 5,000 entities a second and hardly notices.
const REPLICAS_PER_TICK: usize = 100;

/// What a lane keeps of entities that live elsewhere.
pub(super) struct Replicas<E: Entities>(HashMap<Key, Replica<E>>);

struct Replica<E: Entities> {
    owner: NodeId,
    /// What the owner calls this state of it.
    version: u64,
    snapshot: E::Snapshot,
    /// What the lane hears for it.
    topics: Vec<Topic>,
}

impl<E: Entities> Replicas<E> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The owner of an entity says what has changed of it since a version. Gives the topics that it hears and did not hear
    /// before; none if another version is kept, and so the owner has yet to tell all.
    fn change(
        &mut self,
        lane: &mut Lane<E>,
        key: &Key,
        owner: &NodeId,
        (since, version): (u64, u64),
        delta: E::Delta,
    ) -> Option<Vec<Topic>> {
        let replica = self.0.get_mut(key)?;
        if replica.owner != *owner || replica.version != since {
            return None;
        }
        replica.version = version;
        if !E::apply(&mut replica.snapshot, delta) {
            return Some(Vec::new());
        }
        let topics = E::topics_of(&replica.snapshot);
        let former: HashSet<Topic> = replica.topics.drain(..).collect();
        let (kept, new): (Vec<Topic>, Vec<Topic>) =
            topics.iter().cloned().partition(|topic| former.contains(topic));
        replica.topics = topics;
        for topic in &new {
            lane.subscribe(topic);
        }
        let kept: HashSet<Topic> = kept.into_iter().collect();
        former.difference(&kept).for_each(|topic| lane.unsubscribe(topic));
        Some(new)
    }

    /// The owner of an entity says how it is now.
    fn keep(&mut self, lane: &mut Lane<E>, key: Key, owner: &NodeId, version: u64, snapshot: E::Snapshot) {
        let topics = E::topics_of(&snapshot);
        // Those first, so that a topic which stays is not given up in between.
        for topic in &topics {
            lane.subscribe(topic);
        }
        let replica = Replica {
            owner: owner.clone(),
            version,
            snapshot,
            topics,
        };
        if let Some(earlier) = self.0.insert(key, replica) {
            earlier.release(lane);
        }
    }

    /// The entity lives here now.
    pub(super) fn forget(&mut self, lane: &mut Lane<E>, key: &Key) {
        if let Some(replica) = self.0.remove(key) {
            replica.release(lane);
        }
    }

    /// As [`forget`](Self::forget), if the replica is of that owner: the entity is over, or has another standby.
    pub(super) fn withdrawn(&mut self, lane: &mut Lane<E>, key: &Key, owner: &NodeId) {
        if self.0.get(key).is_some_and(|replica| replica.owner == *owner) {
            self.forget(lane, key);
        }
    }

    /// The keys of the replicas for which `is_wanted` is true of the owner.
    fn keys_of(&self, is_wanted: impl Fn(&Key, &NodeId) -> bool) -> Vec<Key> {
        self.0
            .iter()
            .filter(|(key, replica)| is_wanted(key, &replica.owner))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// Who keeps the replica of an entity, and what it was told last.
pub(super) struct Standby {
    pub(super) node: NodeId,
    /// By which life of the link: what was told by another may be lost. None if it may have forgotten.
    link: Option<LinkLife>,
    version: u64,
}

impl<E: Entities> Replica<E> {
    fn release(self, lane: &mut Lane<E>) {
        self.topics.iter().for_each(|topic| lane.unsubscribe(topic));
    }
}

impl<E: Entities> LaneState<E> {
    /// At the end of the turn: the standbys of entities that none knows yet are told.
    pub(super) fn replicate_new(&mut self) {
        let standbys = &self.lane.standbys;
        let new: Vec<Key> = self
            .lane
            .changed
            .extract_if(|key| !standbys.contains_key(key))
            .collect();
        for key in new {
            self.replicate(&key, false);
        }
    }

    /// Now and then: the standbys of entities that have changed are told. What must be known at once is
    /// [committed](Lane::commit).
    pub(super) fn replicate_changed(&mut self) {
        for key in std::mem::take(&mut self.lane.changed) {
            let standby = self.lane.standby(&key);
            if standby.is_some_and(|standby| self.lane.router.is_congested(&standby)) {
                self.lane.changed.insert(key);
            } else {
                self.replicate(&key, false);
            }
        }
    }

    /// Tells the standby of an entity how it is. Returns the standby, if it knows.
    fn replicate(&mut self, key: &Key, must_know: bool) -> Option<NodeId> {
        let standby = self.lane.standby(key)?;
        // Without a link it is told when there is one.
        let link = self.lane.router.link_life(&standby)?;
        let known = self.lane.standbys.get(key);
        let since = known
            .filter(|known| known.node == standby && known.link.as_ref().is_some_and(|known| known.is(&link)))
            .map(|known| known.version);
        let mut change = Change::Whole;
        if since.is_some() {
            self.guarded(Some(key), |entities, lane| {
                change = entities.change(lane, key, must_know);
            });
        }
        match (change, since) {
            (Change::None, _) => Some(standby),
            (Change::Delta(delta), Some(since)) => {
                let version = self.lane.next_version();
                let update = ReplicaUpdate::Changed {
                    since,
                    version,
                    delta,
                };
                self.lane.follow(&standby);
                let is_sent = self.lane.router.replicate(&standby, key, Some(update));
                // Else it may have gone by another life of the link, to where nothing is known that it changes.
                let is_same = self
                    .lane
                    .router
                    .link_life(&standby)
                    .is_some_and(|now| now.is(&link));
                if !(is_sent && is_same) {
                    return self.replicate_whole(key, standby);
                }
                if let Some(known) = self.lane.standbys.get_mut(key) {
                    known.version = version;
                }
                Some(standby)
            }
            _ => self.replicate_whole(key, standby),
        }
    }

    fn replicate_whole(&mut self, key: &Key, standby: NodeId) -> Option<NodeId> {
        let link = self.lane.router.link_life(&standby)?;
        let mut snapshot = None;
        self.guarded(Some(key), |entities, lane| snapshot = entities.replica(lane, key));
        let snapshot = snapshot?;
        let version = self.lane.next_version();
        self.lane.follow(&standby);
        let update = ReplicaUpdate::Whole { version, snapshot };
        if !self.lane.router.replicate(&standby, key, Some(update)) {
            // It is told when there is a link.
            return None;
        }
        let known = Standby {
            node: standby.clone(),
            link: Some(link),
            version,
        };
        let former = self.lane.standbys.insert(key.clone(), known);
        if let Some(former) = former.filter(|former| former.node != standby) {
            self.lane.router.replicate(&former.node, key, None);
        }
        Some(standby)
    }

    /// Entities that are about to do what their standbys must know of before: those that wait for the same nodes wait
    /// together. Those whose standbys' links are congested wait until they are not.
    pub(super) fn commit(&mut self) {
        let mut waiting: HashMap<BTreeSet<NodeId>, Vec<(Key, CommitId)>> = HashMap::new();
        for (key, commit) in std::mem::take(&mut self.lane.commits) {
            let standby = self.lane.standby(&key);
            if standby.is_some_and(|standby| self.lane.router.is_congested(&standby)) {
                self.lane.commits.push((key, commit));
                continue;
            }
            let mut nodes: BTreeSet<NodeId> = self.replicate(&key, true).into_iter().collect();
            let witnesses = self.lane.witnesses.remove(&key).into_iter().flatten();
            nodes.extend(witnesses.filter(|node| self.lane.router.is_linked(node)));
            waiting.entry(nodes).or_default().push((key, commit));
        }
        for (nodes, commits) in waiting {
            if nodes.is_empty() {
                self.committed(commits);
            } else {
                self.lane
                    .raise(nodes.into_iter().collect(), Waiting::Commits(commits));
            }
        }
    }

    /// An entity has ended or gone: its standby needs to keep nothing.
    pub(super) fn withdraw_replica(&mut self, key: &Key) {
        if let Some(standby) = self.lane.standbys.remove(key) {
            self.lane.router.replicate(&standby.node, key, None);
        }
    }

    /// A node has a link again: what was withdrawn meanwhile it does not know.
    pub(super) fn tell_standby_what_to_keep(&self, node: &NodeId) {
        let kept = self
            .lane
            .standbys
            .iter()
            .filter(|(_, standby)| standby.node == *node);
        let keys = kept.map(|(key, _)| key.clone()).collect();
        self.lane.router.tell_what_to_keep(node, self.lane.index, keys);
    }

    /// A node introduces itself anew: of what it was told before it may have nothing.
    pub(super) fn forget_what_it_knows(&mut self, node: &NodeId) {
        let its = self
            .lane
            .standbys
            .values_mut()
            .filter(|known| known.node == *node);
        its.for_each(|known| known.link = None);
    }

    /// The members changed, or a link is back: some standbys have yet to be told of everything.
    pub(super) fn replicate_all(&mut self) {
        self.unreplicated = self.entities.keys();
    }

    /// Tells standbys of some of what they have yet to be told of.
    pub(super) fn replicate_some(&mut self) {
        if self.lane.router.is_any_congested() {
            return;
        }
        let rest = self.unreplicated.len().saturating_sub(REPLICAS_PER_TICK);
        for key in self.unreplicated.split_off(rest) {
            if self.entities.contains(&key) && !self.handoff.is_frozen(&key) {
                self.replicate(&key, true);
            }
        }
    }

    /// The owner of an entity says how it is now.
    pub(super) fn keep_replica(
        &mut self,
        key: Key,
        owner: &NodeId,
        update: ReplicaUpdate<E::Snapshot, E::Delta>,
    ) {
        if self.lane.router.is_mourned(owner) {
            debug!(%key, %owner, "a stale replica: its owner is gone and failover is done");
            return;
        }
        let new_topics = match update {
            ReplicaUpdate::Whole { version, snapshot } => {
                let topics = E::topics_of(&snapshot);
                self.replicas
                    .keep(&mut self.lane, key.clone(), owner, version, snapshot);
                topics
            }
            ReplicaUpdate::Changed {
                since,
                version,
                delta,
            } => {
                let versions = (since, version);
                match self.replicas.change(&mut self.lane, &key, owner, versions, delta) {
                    Some(new) => new,
                    None => {
                        return debug!(%key, %owner, "a delta for an unknown replica; its owner will send the whole");
                    }
                }
            }
        };
        self.lane.ask_history(owner, &key, &new_topics);
    }

    /// A node says which replicas it has given to this one from one of its lanes: others are of entities that have
    /// ended or gone while there was no link.
    pub(super) fn keep_only(&mut self, owner: &NodeId, class: ShardClass, keys: &HashSet<Key>) {
        let shards = self.lane.placement.shards();
        let is_over = |key: &Key, of: &NodeId| {
            of == owner && class.contains(shards.shard_of(key)) && !keys.contains(key)
        };
        for key in self.replicas.keys_of(is_over) {
            self.replicas.forget(&mut self.lane, &key);
        }
    }

    /// The members changed: some owners may be gone.
    pub(super) fn note_orphans(&mut self) {
        let view = self.lane.placement.view().clone();
        let owners = self.replicas.0.values().map(|replica| &replica.owner);
        self.orphaned_by = owners
            .filter(|owner| view.member(owner).is_none())
            .cloned()
            .collect();
    }

    /// All that a node had published before it was gone is here: its entities live on.
    pub(super) fn mourned(&mut self, owner: &NodeId) {
        let waiting = self.lane.barriers.mourned(owner);
        self.passed(waiting);
        if self.lane.placement.view().member(owner).is_some() {
            return;
        }
        self.orphaned_by.remove(owner);
        self.revive_orphans_of(owner);
        self.plan_moves();
        self.unpark_all();
    }

    /// Those whose new owner is another are handed off from here.
    fn revive_orphans_of(&mut self, dead: &NodeId) {
        let mut lost: HashMap<NodeId, usize> = HashMap::new();
        for key in self.replicas.keys_of(|_, owner| owner == dead) {
            let Some(Replica {
                owner,
                snapshot,
                topics,
                ..
            }) = self.replicas.0.remove(&key)
            else {
                continue;
            };
            if !self.entities.contains(&key) {
                self.guarded(Some(&key), |entities, lane| entities.revive(lane, &key, snapshot));
                self.lane.changed(&key);
                *lost.entry(owner).or_default() += 1;
            }
            // Only now, so that the topics are heard throughout.
            topics.iter().for_each(|topic| self.lane.unsubscribe(topic));
        }
        for (owner, sessions) in lost {
            info!(from = %owner, to = %self.lane.node(), lane = self.lane.index, sessions, "failover: sessions of a lost node continue here");
        }
    }
}
