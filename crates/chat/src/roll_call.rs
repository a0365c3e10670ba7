//! Which changes of the cluster take people out of rooms, or bring them back, without a word.

use std::collections::{BTreeSet, VecDeque};

use hither::cluster::NodeId;

/// Lost members that are remembered in case they come back.
const REMEMBERED: usize = 1024;

/// The members of the cluster as they were when last looked at, and those that were lost before.
pub(crate) struct RollCall {
    present: BTreeSet<NodeId>,
    lost: VecDeque<NodeId>,
}

impl RollCall {
    pub(crate) fn new(present: impl IntoIterator<Item = NodeId>) -> Self {
        Self {
            present: present.into_iter().collect(),
            lost: VecDeque::new(),
        }
    }

    /// Whether people may be gone with a member, or back with one that was only cut off. A node that starts has nobody.
    pub(crate) fn update(&mut self, present: impl IntoIterator<Item = NodeId>) -> bool {
        let before = std::mem::replace(&mut self.present, present.into_iter().collect());
        let known = self.lost.len();
        self.lost.retain(|member| !self.present.contains(member));
        let back = self.lost.len() < known;
        let gone: Vec<NodeId> = before.difference(&self.present).cloned().collect();
        let lost = !gone.is_empty();
        self.lost.extend(gone);
        let excess = self.lost.len().saturating_sub(REMEMBERED);
        self.lost.drain(..excess);
        back || lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither::cluster::Incarnation;

    fn node(name: &str, incarnation: u64) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(incarnation),
        }
    }

    #[test]
    fn a_new_member_changes_no_room() {
        let mut roll = RollCall::new([node("a", 1)]);
        assert!(!roll.update([node("a", 1), node("b", 1)]));
    }

    #[test]
    fn a_lost_member_does_and_so_does_its_return() {
        let mut roll = RollCall::new([node("a", 1), node("b", 1)]);
        assert!(roll.update([node("a", 1)]));
        assert!(!roll.update([node("a", 1)]));
        assert!(roll.update([node("a", 1), node("b", 1)]));
        assert!(!roll.update([node("a", 1), node("b", 1)]));
    }

    #[test]
    fn a_restarted_member_is_a_lost_and_a_new_one() {
        let mut roll = RollCall::new([node("a", 1), node("b", 1)]);
        assert!(roll.update([node("a", 1), node("b", 2)]));
        assert!(!roll.update([node("a", 1), node("b", 2), node("c", 1)]));
    }

    #[test]
    fn forgets_the_oldest_losses() {
        let mut roll = RollCall::new([node("a", 1)]);
        for life in 2..REMEMBERED as u64 + 3 {
            assert!(roll.update([node("a", life)]));
        }
        assert_eq!(roll.lost.len(), REMEMBERED);
        assert!(!roll.lost.contains(&node("a", 1)));
    }
}
