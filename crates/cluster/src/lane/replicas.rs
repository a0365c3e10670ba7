//! Replicas: what the standby of a shard keeps of its entities, so that it can go on when their owner dies.

use std::collections::{BTreeSet, HashMap, HashSet};

use tracing::{debug, info};

use super::{CommitId, Lane, LaneState, barriers::Waiting};
use crate::{
    entity::Entities,
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
    snapshot: E::Snapshot,
    /// What the lane hears for it.
    topics: Vec<Topic>,
}

impl<E: Entities> Replicas<E> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The owner of an entity says how it is now.
    pub(super) fn keep(&mut self, lane: &mut Lane<E>, key: Key, owner: &NodeId, snapshot: E::Snapshot) {
        let topics = E::topics_of(&snapshot);
        // Those first, so that a topic which stays is not given up in between.
        for topic in &topics {
            lane.subscribe(topic);
        }
        let replica = Replica {
            owner: owner.clone(),
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

impl<E: Entities> Replica<E> {
    fn release(self, lane: &mut Lane<E>) {
        self.topics.iter().for_each(|topic| lane.unsubscribe(topic));
    }
}

impl<E: Entities> LaneState<E> {
    /// At the end of the turn: the standbys of entities that have changed are told.
    pub(super) fn replicate_changed(&mut self) {
        for key in std::mem::take(&mut self.lane.changed) {
            self.replicate(&key);
        }
    }

    /// Tells the standby of an entity how it is. Returns the standby, if it was told.
    fn replicate(&mut self, key: &Key) -> Option<NodeId> {
        let standby = self.lane.standby(key)?;
        let mut snapshot = None;
        self.guarded(Some(key), |entities, lane| snapshot = entities.replica(lane, key));
        let snapshot = snapshot?;
        self.lane.follow(&standby);
        if !self.lane.router.replicate(&standby, key, Some(snapshot)) {
            // It is told when there is a link.
            return None;
        }
        let former = self.lane.standbys.insert(key.clone(), standby.clone());
        if let Some(former) = former.filter(|former| *former != standby) {
            self.lane.router.replicate(&former, key, None);
        }
        Some(standby)
    }

    /// Entities that are about to do what their standbys must know of before: those that wait for the same nodes wait
    /// together.
    pub(super) fn commit(&mut self) {
        let mut waiting: HashMap<BTreeSet<NodeId>, Vec<(Key, CommitId)>> = HashMap::new();
        for (key, commit) in std::mem::take(&mut self.lane.commits) {
            let mut nodes: BTreeSet<NodeId> = self.replicate(&key).into_iter().collect();
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
            self.lane.router.replicate(&standby, key, None);
        }
    }

    /// A node has a link again: what was withdrawn meanwhile it does not know.
    pub(super) fn tell_standby_what_to_keep(&self, node: &NodeId) {
        let kept = self.lane.standbys.iter().filter(|(_, standby)| *standby == node);
        let keys = kept.map(|(key, _)| key.clone()).collect();
        self.lane.router.tell_what_to_keep(node, self.lane.index, keys);
    }

    /// The members changed, or a link is back: some standbys have yet to be told of everything.
    pub(super) fn replicate_all(&mut self) {
        self.unreplicated = self.entities.keys();
    }

    /// Tells standbys of some of what they have yet to be told of.
    pub(super) fn replicate_some(&mut self) {
        let rest = self.unreplicated.len().saturating_sub(REPLICAS_PER_TICK);
        for key in self.unreplicated.split_off(rest) {
            if self.entities.contains(&key) && !self.handoff.is_frozen(&key) {
                self.replicate(&key);
            }
        }
    }

    /// The owner of an entity says how it is now.
    pub(super) fn keep_replica(&mut self, key: Key, owner: &NodeId, snapshot: E::Snapshot) {
        if self.lane.router.is_mourned(owner) {
            debug!(%key, %owner, "a replica comes too late: its owner is gone, and its entities live on elsewhere");
            return;
        }
        let topics = E::topics_of(&snapshot);
        self.replicas.keep(&mut self.lane, key.clone(), owner, snapshot);
        self.lane.ask_history(owner, &key, &topics);
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
        let waiting = self.lane.barriers.members_changed(|node| node != owner);
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
            info!(from = %owner, to = %self.lane.node(), lane = self.lane.index, sessions, "sessions of a lost node live on here");
        }
    }
}
