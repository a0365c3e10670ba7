//! Barriers of a lane: which nodes have yet to send what they had sent before, and what waits for that.

use std::collections::{BTreeMap, HashSet};

use super::{CommitId, HistoryWant};
use crate::{member::NodeId, shard::Key};

/// What waits for a barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The handoff.
    Handoff { round: u64 },
    /// An entity that wants to have heard all that was published before.
    Entity(Key),
    /// The lane itself, which wants to know whether it has been counted out.
    Doubt,
    /// Entities that want their standby to know how they are. A standby without a link is not waited for: it is told anew
    /// when it has one, and until then it is as if there were none.
    Commits(Vec<(Key, CommitId)>),
    /// Lanes to which this one is to tell all that was published before they heard it themselves.
    Histories(Vec<HistoryWant>),
}

impl Waiting {
    /// Whether it wants to have heard all that was published before, and not just to be known.
    fn is_to_hear(&self) -> bool {
        match self {
            Self::Handoff { .. } | Self::Entity(_) | Self::Histories(_) => true,
            Self::Doubt | Self::Commits(_) => false,
        }
    }
}

/// The barriers of one lane that are not passed.
#[derive(Debug, Default)]
pub(crate) struct Barriers {
    last: u64,
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
struct Pending {
    nodes: HashSet<NodeId>,
    waiting: Waiting,
}

impl Barriers {
    /// A barrier for these nodes; returns its number.
    pub(crate) fn raise(&mut self, nodes: HashSet<NodeId>, waiting: Waiting) -> u64 {
        self.last += 1;
        self.pending.insert(self.last, Pending { nodes, waiting });
        self.last
    }

    /// A node has passed a barrier. Returns what waited for it alone.
    pub(crate) fn passed(&mut self, barrier: u64, node: &NodeId) -> Option<Waiting> {
        let pending = self.pending.get_mut(&barrier)?;
        pending.nodes.remove(node);
        if pending.nodes.is_empty() {
            self.pending.remove(&barrier).map(|pending| pending.waiting)
        } else {
            None
        }
    }

    /// Whether something waits that wants to have heard all that was published before, and not just to be known.
    pub(crate) fn is_to_hear(&self, barrier: u64) -> bool {
        self.pending
            .get(&barrier)
            .is_some_and(|pending| pending.waiting.is_to_hear())
    }

    /// The barriers that a node has not passed: with a new link it is to be asked again.
    pub(crate) fn waiting_for(&self, node: &NodeId) -> Vec<u64> {
        let pending = self.pending.iter().filter(|(_, one)| one.nodes.contains(node));
        pending.map(|(barrier, _)| *barrier).collect()
    }

    /// A node has no link at present. Returns what does not wait until it has one.
    pub(crate) fn link_down(&mut self, node: &NodeId) -> Vec<Waiting> {
        self.release(|pending| match pending.waiting {
            Waiting::Commits(_) => pending.nodes.remove(node),
            Waiting::Handoff { .. } | Waiting::Entity(_) | Waiting::Doubt | Waiting::Histories(_) => false,
        })
    }

    /// Some nodes are no members any more. Others may pass on what they heard of those that are `mourned`, for which who wants to
    /// hear it waits; nobody else does, for they answer nothing. Returns what waited for them alone.
    pub(crate) fn members_changed(
        &mut self,
        is_member: impl Fn(&NodeId) -> bool,
        mourned: impl Fn(&NodeId) -> bool,
    ) -> Vec<Waiting> {
        self.release(|pending| {
            let before = pending.nodes.len();
            let may_speak = |node: &NodeId| is_member(node) || pending.waiting.is_to_hear() && mourned(node);
            pending.nodes.retain(may_speak);
            pending.nodes.len() < before
        })
    }

    /// All that others had heard of a node that is gone is here. Returns what waited for it alone.
    pub(crate) fn mourned(&mut self, dead: &NodeId) -> Vec<Waiting> {
        self.release(|pending| pending.nodes.remove(dead))
    }

    fn release(&mut self, mut changes: impl FnMut(&mut Pending) -> bool) -> Vec<Waiting> {
        let passed = self
            .pending
            .extract_if(.., |_, pending| changes(pending) && pending.nodes.is_empty());
        passed.map(|(_, pending)| pending.waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    #[test]
    fn who_waits_is_told_once_when_the_last_node_has_passed_or_is_gone() {
        let mut barriers = Barriers::default();
        let waiting = Waiting::Entity("x".into());
        let barrier = barriers.raise([node("a"), node("b")].into(), waiting.clone());
        assert_eq!(barriers.passed(barrier, &node("a")), None);
        let is_member = |member: &NodeId| *member != node("b");
        assert_eq!(barriers.members_changed(is_member, |_| false), [waiting]);
        assert_eq!(barriers.passed(barrier, &node("b")), None);
    }

    #[test]
    fn of_the_dead_one_may_still_hear_but_they_answer_nothing() {
        let mut barriers = Barriers::default();
        let (hears, asks) = (Waiting::Entity("x".into()), Waiting::Doubt);
        barriers.raise([node("a"), node("b")].into(), hears.clone());
        let asked = barriers.raise([node("a"), node("b")].into(), asks.clone());
        assert_eq!(barriers.passed(asked, &node("a")), None);
        let (is_member, is_dead) = (
            |member: &NodeId| *member == node("a"),
            |dead: &NodeId| *dead == node("b"),
        );
        assert_eq!(barriers.members_changed(is_member, is_dead), [asks]);
        assert_eq!(barriers.mourned(&node("b")), []);
        assert_eq!(barriers.members_changed(|_| false, |_| false), [hears]);
    }

    #[test]
    fn a_node_whose_link_is_cut_is_waited_for_and_asked_again() {
        let mut barriers = Barriers::default();
        let waiting = Waiting::Handoff { round: 7 };
        let barrier = barriers.raise([node("a")].into(), waiting.clone());
        assert_eq!(barriers.link_down(&node("a")), []);
        assert_eq!(barriers.waiting_for(&node("a")), [barrier]);
        assert_eq!(barriers.passed(barrier, &node("a")), Some(waiting));
        assert_eq!(barriers.waiting_for(&node("a")), [] as [u64; 0]);
    }

    #[test]
    fn nothing_is_committed_at_a_standby_without_a_link() {
        let mut barriers = Barriers::default();
        let waiting = Waiting::Commits(vec![("x".into(), CommitId(1))]);
        barriers.raise([node("a")].into(), waiting.clone());
        assert_eq!(barriers.link_down(&node("b")), []);
        assert_eq!(barriers.link_down(&node("a")), [waiting]);
    }
}
