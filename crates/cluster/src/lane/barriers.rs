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
            .is_some_and(|pending| match pending.waiting {
                Waiting::Handoff { .. } | Waiting::Entity(_) | Waiting::Histories(_) => true,
                Waiting::Doubt | Waiting::Commits(_) => false,
            })
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

    /// Some nodes are no members any more. Returns what waited for them alone.
    pub(crate) fn members_changed(&mut self, is_member: impl Fn(&NodeId) -> bool) -> Vec<Waiting> {
        self.release(|pending| {
            let before = pending.nodes.len();
            pending.nodes.retain(|node| is_member(node));
            pending.nodes.len() < before
        })
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
        assert_eq!(barriers.members_changed(|member| *member != node("b")), [waiting]);
        assert_eq!(barriers.passed(barrier, &node("b")), None);
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
