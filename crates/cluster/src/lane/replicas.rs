//! Replicas: what the standby of a shard keeps of its entities, so that it can go on when their owner dies.

use std::collections::{HashMap, HashSet};

use tracing::info;

use super::LaneState;
use crate::{entity::Entities, member::NodeId, shard::Key};

/// Replicas sent per look at the time when a new standby has to be given all of them. At 50 looks a second a lane
/// gives 5,000 entities a second and hardly notices.
const REPLICAS_PER_TICK: usize = 100;

/// What a lane keeps of entities that live elsewhere.
pub(super) struct Replicas<E: Entities>(HashMap<Key, (NodeId, E::Snapshot)>);

impl<E: Entities> Replicas<E> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The owner of an entity says how it is now.
    pub(super) fn keep(&mut self, key: Key, owner: &NodeId, snapshot: E::Snapshot) {
        self.0.insert(key, (owner.clone(), snapshot));
    }

    /// The entity lives here, or is over, or has another standby.
    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// As [`forget`](Self::forget), if the replica is of that owner.
    pub(super) fn withdrawn(&mut self, key: &Key, owner: &NodeId) {
        if self.0.get(key).is_some_and(|(from, _)| from == owner) {
            self.0.remove(key);
        }
    }

    /// Takes the replicas whose owners are gone.
    fn orphans(&mut self, is_gone: impl Fn(&NodeId) -> bool) -> Vec<(Key, NodeId, E::Snapshot)> {
        let orphans = self.0.extract_if(|_, (owner, _)| is_gone(owner));
        orphans
            .map(|(key, (owner, snapshot))| (key, owner, snapshot))
            .collect()
    }
}

impl<E: Entities> LaneState<E> {
    /// At the end of the turn: the standbys of entities that have changed are told.
    pub(super) fn replicate_changed(&mut self) {
        if !self.replicate {
            return self.lane.changed.clear();
        }
        for key in std::mem::take(&mut self.lane.changed) {
            self.replicate(&key);
        }
    }

    fn replicate(&mut self, key: &Key) {
        let shard = self.lane.placement.shards().shard_of(key);
        let Some(standby) = self.lane.placement.standby(shard).cloned() else {
            return;
        };
        // What is about to move is replicated by its next owner.
        if standby == *self.lane.node() || !self.lane.placement.is_mine(shard) {
            return;
        }
        let mut snapshot = None;
        self.guarded(Some(key), |entities, lane| snapshot = entities.replica(lane, key));
        if let Some(snapshot) = snapshot {
            self.lane.follow(&standby);
            self.lane.router.replicate(&standby, key, Some(snapshot));
        }
    }

    /// An entity has ended or gone: its standby needs to keep nothing.
    pub(super) fn withdraw_replica(&mut self, key: &Key) {
        let shard = self.lane.placement.shards().shard_of(key);
        if self.replicate
            && let Some(standby) = self.lane.placement.standby(shard)
            && standby != self.lane.node()
        {
            self.lane.router.replicate(standby, key, None);
        }
    }

    /// The members changed, or a link is back: some standbys have yet to be told of everything.
    pub(super) fn replicate_all(&mut self) {
        if self.replicate {
            self.unreplicated = self.entities.keys();
        }
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

    /// Entities whose owners are gone live on here. Those whose new owner is another are handed off from here.
    pub(super) fn revive_orphans(&mut self) {
        let view = self.lane.placement.view().clone();
        let orphans = self.replicas.orphans(|owner| view.member(owner).is_none());
        let mut lost: HashMap<NodeId, usize> = HashMap::new();
        for (key, owner, snapshot) in orphans {
            if !self.entities.contains(&key) {
                self.guarded(Some(&key), |entities, lane| entities.revive(lane, &key, snapshot));
                self.lane.changed(&key);
                *lost.entry(owner).or_default() += 1;
            }
        }
        for (owner, sessions) in lost {
            info!(from = %owner, to = %self.lane.node(), lane = self.lane.index, sessions, "sessions of a lost node live on here");
        }
    }

    /// This node did not run for so long that others have taken over what it owned: it gives that up.
    pub(super) fn give_up(&mut self) {
        let keys: HashSet<Key> = self.entities.keys().into_iter().collect();
        info!(
            lane = self.lane.index,
            sessions = keys.len(),
            "giving up what others have taken over"
        );
        self.guarded(None, E::give_up);
        self.frozen.clear();
        self.unreplicated.clear();
        self.lane.changed.clear();
        self.lane.ended.clear();
        keys.iter().for_each(|key| self.handoff.gone(key));
    }
}
