//! When is an owner sure? Once every other node has said that it holds nothing which belongs elsewhere.
//!
//! After a change of members a key may still live at its former owner. Until all live members have announced, for
//! the same placement, that they have handed off all that is not theirs, a request for a key unknown here waits.

use std::collections::HashMap;

use crate::{
    member::{NodeId, View},
    topic::MAX_LANES,
};

/// What a node announces that is not done any more: no placement has this fingerprint.
pub(crate) const UNSETTLED: u64 = 0;

/// What this node knows about the handoffs of all nodes, for its current placement.
#[derive(Debug)]
pub(crate) struct Settlement {
    /// How many placements there were. The members may come back to a former one.
    placements: u64,
    fingerprint: u64,
    others: Vec<NodeId>,
    /// The placement for which each peer last said that it is done.
    said: HashMap<NodeId, u64>,
    all_lanes: u64,
    busy_lanes: u64,
}

impl Settlement {
    pub(crate) fn new(lanes: usize) -> Self {
        let all_lanes = if lanes >= MAX_LANES {
            u64::MAX
        } else {
            (1 << lanes) - 1
        };
        Self {
            placements: 0,
            fingerprint: UNSETTLED,
            others: Vec::new(),
            said: HashMap::new(),
            all_lanes,
            busy_lanes: 0,
        }
    }

    /// The members changed: every lane has to look through its entities again. Says whether what this node announced
    /// before holds no longer, so that its peers must be told.
    pub(crate) fn placed(&mut self, view: &View, fingerprint: u64) -> bool {
        self.placements += 1;
        let had_announced = self.announced().is_some();
        let changed = fingerprint != self.fingerprint;
        if changed {
            self.busy_lanes = self.all_lanes;
            self.fingerprint = fingerprint;
        }
        // Who goes has to say it again when it comes back. Who has yet to come may be ahead.
        for gone in self.others.iter().filter(|node| view.member(node).is_none()) {
            self.said.remove(gone);
        }
        self.others = view.others().map(|member| member.id.clone()).collect();
        self.said.retain(|node, _| {
            view.members
                .get(&node.name)
                .is_none_or(|member| member.id == *node)
        });
        changed && had_announced
    }

    /// A peer has no link: what it said may hold no longer, and it says so again when it has one.
    pub(crate) fn peer_down(&mut self, peer: &NodeId) {
        self.said.remove(peer);
    }

    /// A lane has nothing to hand off, and has been told of so many placements. Returns the placement to announce, when it
    /// was the last lane.
    pub(crate) fn lane_done(&mut self, lane: usize, placements: u64) -> Option<u64> {
        if placements != self.placements || self.busy_lanes == 0 {
            return None;
        }
        self.busy_lanes &= !(1 << lane);
        self.announced()
    }

    /// The placement for which this node is done, to be told to a peer that has just got a link.
    pub(crate) fn announced(&self) -> Option<u64> {
        (self.busy_lanes == 0 && self.fingerprint != UNSETTLED).then_some(self.fingerprint)
    }

    /// A peer has handed off all that is not its own.
    pub(crate) fn peer_done(&mut self, peer: NodeId, fingerprint: u64) {
        self.said.insert(peer, fingerprint);
    }

    /// The placement for which everybody is done, if that is the current one.
    pub(crate) fn settled(&self) -> Option<u64> {
        let announced = self.announced()?;
        self.others
            .iter()
            .all(|node| self.said.get(node) == Some(&announced))
            .then_some(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{Member, Phase, testing::node};

    fn view(names: &[&str]) -> View {
        let address = ([127, 0, 0, 1], 1).into();
        let member = |name: &&str| {
            let member = Member {
                id: node(name),
                phase: Phase::Up,
                http: address,
                gossip: address,
                link: address,
            };
            (member.id.name.clone(), member)
        };
        View {
            me: node(names[0]),
            members: names.iter().map(member).collect(),
        }
    }

    #[test]
    fn settled_when_every_lane_and_every_peer_is_done_with_the_same_placement() {
        let mut settlement = Settlement::new(2);
        settlement.placed(&view(&["a", "b"]), 7);
        assert_eq!(settlement.lane_done(0, 1), None);
        settlement.peer_done(node("b"), 7);
        assert_eq!(settlement.settled(), None);
        assert_eq!(settlement.lane_done(1, 1), Some(7));
        assert_eq!(settlement.settled(), Some(7));
        settlement.placed(&view(&["a", "b"]), 8);
        assert_eq!(settlement.lane_done(0, 1), None);
        assert_eq!(settlement.settled(), None);
    }

    #[test]
    fn a_peers_word_holds_until_it_takes_it_back_or_its_link_goes() {
        let mut settlement = Settlement::new(1);
        assert!(
            !settlement.placed(&view(&["a", "b"]), 7),
            "nothing was announced before"
        );
        settlement.lane_done(0, 1);
        settlement.peer_done(node("b"), 7);
        assert_eq!(settlement.settled(), Some(7));
        settlement.peer_done(node("b"), UNSETTLED);
        assert_eq!(settlement.settled(), None);
        settlement.peer_done(node("b"), 7);
        settlement.peer_down(&node("b"));
        assert_eq!(settlement.settled(), None);
        assert!(settlement.placed(&view(&["a"]), 8));
    }

    #[test]
    fn a_lane_that_was_done_before_the_members_went_and_came_is_not_done() {
        let mut settlement = Settlement::new(1);
        settlement.placed(&view(&["a", "b"]), 7);
        settlement.placed(&view(&["a"]), 8);
        settlement.placed(&view(&["a", "b"]), 7);
        assert_eq!(settlement.lane_done(0, 1), None);
        assert_eq!(settlement.lane_done(0, 3), Some(7));
    }

    #[test]
    fn the_word_of_a_member_that_was_gone_does_not_count() {
        let mut settlement = Settlement::new(1);
        settlement.placed(&view(&["a", "b"]), 7);
        settlement.peer_done(node("b"), 7);
        settlement.placed(&view(&["a"]), 8);
        settlement.placed(&view(&["a", "b"]), 7);
        settlement.lane_done(0, 3);
        assert_eq!(settlement.settled(), None);
        settlement.peer_done(node("b"), 7);
        assert_eq!(settlement.settled(), Some(7));
    }

    #[test]
    fn a_peer_may_be_ahead() {
        let mut settlement = Settlement::new(1);
        settlement.peer_done(node("b"), 8);
        settlement.placed(&view(&["a", "b"]), 8);
        settlement.lane_done(0, 1);
        assert_eq!(settlement.settled(), Some(8));
    }

    #[test]
    fn a_member_without_shards_is_waited_for_too() {
        let mut settlement = Settlement::new(1);
        settlement.placed(&view(&["a"]), 8);
        settlement.lane_done(0, 1);
        assert_eq!(settlement.settled(), Some(8));
        settlement.placed(&view(&["a", "b"]), 8);
        assert_eq!(
            settlement.settled(),
            None,
            "b has come and may hold entities from before"
        );
        assert_eq!(settlement.announced(), Some(8));
    }
}
