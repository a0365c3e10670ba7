//! The router's part in moving entities, and in keeping their replicas.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use tracing::{error, info};

use super::{Router, lock, members_of};
use crate::{
    ask::{LinkMessage, ReplicaUpdate},
    entity::Entities,
    lane::LaneMessage,
    links::LinkLife,
    log::{Marks, Position},
    member::{NodeId, View},
    settlement::{Settlement, UNSETTLED},
    shard::{Key, Placement, ShardClass},
    trace::TracePart,
    wire,
};

impl<E: Entities> Router<E> {
    /// Tells a follower how the log of a lane goes on. False without a link.
    pub(crate) fn trace(&self, to: &NodeId, part: TracePart) -> bool {
        self.to_peer(to, &LinkMessage::Trace(part))
    }

    /// The marks that a position in the log of another node's lane stands for, if this node followed it.
    pub(crate) fn marks_at(&self, position: Position) -> Option<Marks> {
        lock(&self.traces).marks_at(position)
    }

    /// Tells the standby of an entity how it is, or that nothing is to be kept of it. False without a link: then it is
    /// told when there is one.
    pub(crate) fn replicate(
        &self,
        standby: &NodeId,
        key: &Key,
        update: Option<ReplicaUpdate<E::Snapshot, E::Delta>>,
    ) -> bool {
        let Some(version) = self.links.version(standby) else {
            return false;
        };
        let encode = |update: ReplicaUpdate<_, _>| {
            update.try_map(
                |snapshot| wire::encode(version, &snapshot),
                |delta| wire::encode(version, &delta),
            )
        };
        match update.map(encode).transpose() {
            Ok(update) => {
                let key = key.clone();
                self.to_peer(standby, &LinkMessage::Replica { key, update })
            }
            Err(error) => {
                error!(%key, %error, "an entity cannot be encoded for its standby");
                false
            }
        }
    }

    /// The present life of the link to a node, if there is one.
    pub(crate) fn link_life(&self, node: &NodeId) -> Option<LinkLife> {
        self.links.life(node)
    }

    /// Whether so much waits to be sent to a node that what clients cause has to wait.
    pub(crate) fn is_congested(&self, node: &NodeId) -> bool {
        self.links.is_congested(node)
    }

    /// Whether that is so for any node.
    pub(crate) fn is_any_congested(&self) -> bool {
        self.links.is_any_congested()
    }

    /// Completes when no link is [congested](Self::is_congested).
    pub(crate) async fn uncongested(&self) {
        for node in self.links.linked() {
            self.links.uncongested(&node).await;
        }
    }

    /// Tells a standby which replicas of a lane's entities it is to have.
    pub(crate) fn tell_what_to_keep(&self, standby: &NodeId, lane: usize, keys: Vec<Key>) {
        let class = ShardClass {
            lane: lane as u32,
            lanes: self.lanes().len() as u32,
        };
        self.to_peer(standby, &LinkMessage::ReplicasKept { class, keys });
    }

    /// A lane that has been told of so many placements has nothing to hand off.
    pub(crate) fn lane_done(&self, lane: usize, placements: u64) {
        let mut settlement = lock(&self.settlement);
        if let Some(fingerprint) = settlement.lane_done(lane, placements) {
            self.handed_off.send_replace(Some(fingerprint));
            self.to_peers(&LinkMessage::Settled { fingerprint });
        }
        self.tell_if_settled(&settlement);
    }

    /// A lane tells how many of its entities belong elsewhere.
    pub(crate) fn note_moves(&self, lane: usize, left: usize) {
        if let Some(moves) = self.moves.get(lane) {
            moves.store(left, Ordering::Relaxed);
        }
    }

    /// How many entities live here and belong elsewhere.
    pub(crate) fn moves_left(&self) -> usize {
        self.moves.iter().map(|lane| lane.load(Ordering::Relaxed)).sum()
    }

    /// Completes when this node has handed off all that is not its own under the current placement.
    pub(crate) async fn handed_off(&self) {
        let current = |done: &Option<u64>| *done == Some(self.placement.borrow().fingerprint());
        // The sender is our own.
        drop(self.handed_off.subscribe().wait_for(current).await.map(|_| ()));
    }

    /// Whether everybody has handed off what is not theirs under the current placement.
    pub(crate) fn settled(&self) -> Option<u64> {
        lock(&self.settlement).settled()
    }

    pub(super) fn tell_if_settled(&self, settlement: &Settlement) {
        if let Some(fingerprint) = settlement.settled() {
            self.to_all_lanes(|| LaneMessage::Settled { fingerprint });
        }
    }

    /// The members changed.
    pub(crate) fn placed(&self, view: Arc<View>) {
        let before = self.placement();
        let placement = Arc::new(Placement::new(view, before.shards()));
        log_moved_shards(&before, &placement);
        lock(&self.traces).members_changed(placement.view(), std::time::Instant::now());
        let parted = self.welcome_back(placement.view());
        self.mourn_the_gone(before.view(), placement.view());
        let mut settlement = lock(&self.settlement);
        if settlement.placed(placement.view(), placement.fingerprint()) {
            self.to_peers(&LinkMessage::Settled {
                fingerprint: UNSETTLED,
            });
        }
        self.placement.send_replace(placement.clone());
        self.to_all_lanes(|| LaneMessage::Placed(placement.clone()));
        if let Some(parted) = parted {
            self.to_all_lanes(|| LaneMessage::Reunited { parted });
        }
        self.tell_if_settled(&settlement);
        drop(settlement);
        self.tick(std::time::Instant::now());
        self.to_peers(&LinkMessage::Members(members_of(placement.view())));
    }
}

/// One line per pair of nodes between which shards moved.
fn log_moved_shards(before: &Placement, now: &Placement) {
    let mut moved: HashMap<(&str, &str), usize> = HashMap::new();
    for shard in now.shards().iter() {
        let (old, new) = (before.owner(shard), now.owner(shard));
        if old != new {
            let old = old.map_or("nobody", |node| node.name.as_str());
            let new = new.map_or("nobody", |node| node.name.as_str());
            *moved.entry((old, new)).or_default() += 1;
        }
    }
    let mut moved: Vec<_> = moved.into_iter().collect();
    moved.sort();
    for ((from, to), shards) in moved {
        info!(from, to, shards, "shards change owner");
    }
}
