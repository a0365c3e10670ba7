//! Barriers: having got all that others had sent before, and knowing that they got what was sent to them.

use std::collections::HashSet;

use super::{Router, lock};
use crate::{ask::LinkMessage, entity::Entities, lane::LaneMessage, member::NodeId};

impl<E: Entities> Router<E> {
    /// The nodes that may have published something which is still on its way here: this one included, and those that are
    /// gone while others may pass on what they had heard.
    pub(crate) fn barrier_nodes(&self) -> HashSet<NodeId> {
        let mut nodes = self.answering_nodes();
        nodes.extend(lock(&self.topics).mourning.dead().cloned());
        nodes
    }

    /// The nodes that can answer, as those that are gone cannot: this one included.
    pub(crate) fn answering_nodes(&self) -> HashSet<NodeId> {
        let placement = self.placement();
        let topics = lock(&self.topics);
        let others = placement.view().others().map(|member| &member.id);
        let known = others.filter(|node| topics.heard.contains_key(node));
        known.chain([&self.me]).cloned().collect()
    }

    /// Asks a node to pass a barrier of a lane. Without a link it is to be asked again when there is one.
    pub(crate) fn send_barrier(&self, node: &NodeId, lane: usize, barrier: u64) {
        if *node == self.me {
            let number = lock(&self.topics).number;
            self.passed(node, lane, barrier, number);
        } else {
            let lane = lane as u32;
            self.to_peer(node, &LinkMessage::Barrier { lane, barrier });
        }
    }

    /// A peer wants to know that everything published so far has been sent to it.
    pub(super) fn pass(&self, peer: &NodeId, lane: u32, barrier: u64) {
        // Publications are sent under this lock: those before the barrier are before the answer.
        let topics = lock(&self.topics);
        let has_wished = topics.heard.get(peer).is_some_and(|heard| heard.has_wished);
        if !has_wished || !topics.listens_to(peer) {
            // It has yet to say what it missed, or is not heard itself. It asks again when it is introduced.
            return;
        }
        let number = topics.number;
        self.to_peer(
            peer,
            &LinkMessage::Passed {
                lane,
                barrier,
                number,
            },
        );
    }

    /// A peer has passed a barrier of a lane.
    pub(super) fn peer_passed(&self, peer: &NodeId, lane: usize, barrier: u64, number: u64) {
        let topics = lock(&self.topics);
        // Some of what came before it was not taken, and comes again: then the lane asks again, too.
        if topics.listens_to(peer) {
            self.passed(peer, lane, barrier, number);
        }
    }

    fn passed(&self, node: &NodeId, lane: usize, barrier: u64, number: u64) {
        if let Some(lane) = self.lanes().get(lane) {
            lane.tell(LaneMessage::Passed {
                node: node.clone(),
                barrier,
                number,
            });
        }
    }
}
