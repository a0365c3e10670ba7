//! Barriers that entities raised: who has yet to send what it had published before.

use std::collections::{HashMap, HashSet};

use crate::{member::NodeId, shard::Key};

/// Rounds of entities begin here; those of the handoff count from 1.
const FIRST_ROUND: u64 = 1 << 63;

/// The barriers of one lane that are not passed.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    rounds: u64,
    pending: HashMap<u64, (HashSet<NodeId>, Key)>,
}

impl Barriers {
    pub(super) fn next_round(&mut self) -> u64 {
        self.rounds += 1;
        FIRST_ROUND + self.rounds
    }

    pub(super) fn raised(&mut self, round: u64, nodes: HashSet<NodeId>, key: Key) {
        self.pending.insert(round, (nodes, key));
    }

    /// Whether a round is one of an entity.
    pub(super) fn is_ours(round: u64) -> bool {
        round >= FIRST_ROUND
    }

    /// A node has passed a barrier. Returns the entity that waited for it alone.
    pub(super) fn passed(&mut self, round: u64, node: &NodeId) -> Option<Key> {
        let (nodes, _) = self.pending.get_mut(&round)?;
        nodes.remove(node);
        if nodes.is_empty() {
            self.pending.remove(&round).map(|(_, key)| key)
        } else {
            None
        }
    }

    /// A node will pass no barrier any more. Returns the entities that waited for it alone.
    pub(super) fn link_down(&mut self, node: &NodeId) -> Vec<Key> {
        let rounds: Vec<u64> = self.pending.keys().copied().collect();
        rounds
            .into_iter()
            .filter_map(|round| self.passed(round, node))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Incarnation;

    #[test]
    fn an_entity_is_told_once_when_the_last_node_has_passed_or_is_gone() {
        let node = |name: &str| NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        };
        let mut barriers = Barriers::default();
        let round = barriers.next_round();
        assert!(Barriers::is_ours(round));
        barriers.raised(round, [node("a"), node("b")].into(), "x".into());
        assert_eq!(barriers.passed(round, &node("a")), None);
        assert_eq!(barriers.link_down(&node("b")), ["x".into()]);
        assert_eq!(barriers.passed(round, &node("b")), None);
    }
}
