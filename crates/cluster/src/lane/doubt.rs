//! After a pause: whether this node still owns what it has.
//!
//! A node that was stopped, or starved, may have been counted out meanwhile, and its entities live on elsewhere. So after
//! a pause in which that could have happened a lane does nothing before every member has said whether it did.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tracing::{info, warn};

use super::{LaneMessage, LaneState, barriers::Waiting};
use crate::{
    entity::Entities,
    links::{Credit, LinkLife},
    member::NodeId,
    shard::Key,
};

/// What came while a lane did not know whether its entities are its own.
///
/// The answer of a peer comes behind what it had sent before. So that must not fill the window of its link, or the answer
/// would never come: until a peer has answered, what it sent is held without its credit. That is no more than what waited
/// at the peer's end of the link, which is bounded. What comes after the answer keeps its credit.
pub(super) struct Doubt<E: Entities> {
    barrier: u64,
    held: VecDeque<LaneMessage<E>>,
    /// The links by which answers have come.
    answered: Vec<LinkLife>,
}

impl<E: Entities> Doubt<E> {
    fn hold(&mut self, mut message: LaneMessage<E>) {
        if let Some(credit) = message.credit_mut() {
            let link = credit.link();
            if !self.answered.iter().any(|answered| answered.is(&link)) {
                *credit = Credit::unaccounted();
            }
        }
        self.held.push_back(message);
    }
}

impl<E: Entities> LaneState<E> {
    /// The lane did not run for so long. Who is alone has lost nothing.
    pub(super) fn paused(&mut self, pause: Duration) {
        if pause < self.doubt_after
            || self.lane.is_in_doubt()
            || self.lane.placement.view().others().next().is_none()
        {
            return;
        }
        warn!(
            lane = self.lane.index,
            ?pause,
            "this node was paused; asking the others whether they declared it dead"
        );
        let now = self.lane.now;
        self.lane.router.paused(now - pause, now);
        let nodes = self.lane.router.answering_nodes();
        let barrier = self.lane.raise(nodes, Waiting::Doubt);
        self.lane.doubt = Some(Doubt {
            barrier,
            held: VecDeque::new(),
            answered: Vec::new(),
        });
    }

    /// What can be handled in doubt; the rest is held until there is none.
    pub(super) fn admit(&mut self, message: LaneMessage<E>) -> Option<LaneMessage<E>> {
        let Some(doubt) = &mut self.lane.doubt else {
            return Some(message);
        };
        match &message {
            LaneMessage::Passed { barrier, node, .. } if *barrier == doubt.barrier => {
                doubt.answered.extend(self.lane.router.link_life(node));
                Some(message)
            }
            LaneMessage::CountedOut { .. }
            | LaneMessage::Placed(_)
            | LaneMessage::LinkUp(_)
            | LaneMessage::LinkDown(_)
            | LaneMessage::Continues(_)
            | LaneMessage::Introduced(_) => Some(message),
            LaneMessage::Tick => None,
            _ => {
                doubt.hold(message);
                None
            }
        }
    }

    /// Every member has answered: what is still here is this node's own.
    pub(super) fn doubt_ends(&mut self) {
        for message in self.lane.doubt.take().into_iter().flat_map(|doubt| doubt.held) {
            self.handle(message);
            self.settle_moves();
        }
    }

    /// A member had counted this node out, and lets the entities live on of which it has replicas. A node that ran all the
    /// time keeps its own copies: the members were parted, and clients may be with either.
    pub(super) fn counted_out(&mut self, by: &NodeId) {
        if !self.lane.is_in_doubt() {
            return;
        }
        let theirs = self
            .lane
            .standbys
            .iter()
            .filter(|(_, standby)| standby.node == *by);
        let theirs: HashSet<Key> = theirs.map(|(key, _)| key.clone()).collect();
        info!(
            lane = self.lane.index,
            %by,
            sessions = theirs.len(),
            "giving up sessions that others have taken over"
        );
        self.guarded(None, |entities, lane| entities.give_up(lane, &theirs));
        for key in &theirs {
            self.frozen.remove(key);
            self.lane.standbys.remove(key);
            self.handoff.gone(key);
        }
        self.unreplicated.retain(|key| !theirs.contains(key));
        self.lane.changed.retain(|key| !theirs.contains(key));
        self.lane.commits.retain(|(key, _)| !theirs.contains(key));
        // They have gone nowhere of themselves: nobody is to forget them.
        self.lane.ended.retain(|key| !theirs.contains(key));
    }
}
