//! What those who stay owe each other when a node is gone: that all of them have heard the same of it.
//!
//! A node may die in the middle of telling the others something. So each one says how far it had heard the dead, and is
//! told what others heard more. Only when everybody has been heard do the dead node's entities live on: else they could
//! say something that overtakes what they had said before.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::member::NodeId;

/// How long is waited for the others at most. They learn of a death within the time of a suspicion.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who has yet to speak of whom.
#[derive(Debug, Default)]
pub(super) struct Mourning {
    dead: BTreeMap<NodeId, Wake>,
    /// Who has spoken of a node that is still a member here, and how far they had heard it.
    early: HashMap<NodeId, Vec<(NodeId, u64)>>,
}

#[derive(Debug)]
struct Wake {
    since: Instant,
    waits_for: HashSet<NodeId>,
}

impl Mourning {
    /// A node is gone, and these others stay. Returns those who have said already how far they had heard it.
    pub(super) fn begin(
        &mut self,
        dead: &NodeId,
        survivors: HashSet<NodeId>,
        now: Instant,
    ) -> Vec<(NodeId, u64)> {
        let wake = Wake {
            since: now,
            waits_for: survivors,
        };
        self.dead.insert(dead.clone(), wake);
        self.early.remove(dead).unwrap_or_default()
    }

    /// Somebody speaks of a node that is a member here: remembered until it is not.
    pub(super) fn spoke_early(&mut self, of: NodeId, by: NodeId, number: u64) {
        let spoken = self.early.entry(of).or_default();
        spoken.retain(|(other, _)| *other != by);
        spoken.push((by, number));
    }

    /// Somebody has told all that it had heard more of a node that is gone.
    pub(super) fn told(&mut self, dead: &NodeId, by: &NodeId) {
        if let Some(wake) = self.dead.get_mut(dead) {
            wake.waits_for.remove(by);
        }
    }

    /// Of whom somebody has yet to speak.
    pub(super) fn waiting_for<'a>(&'a self, node: &'a NodeId) -> impl Iterator<Item = &'a NodeId> {
        let waiting = self.dead.iter().filter(|(_, wake)| wake.waits_for.contains(node));
        waiting.map(|(dead, _)| dead)
    }

    /// Some nodes are no members any more, and some are again.
    pub(super) fn members_changed(&mut self, is_member: impl Fn(&NodeId) -> bool) {
        self.dead.retain(|dead, wake| {
            wake.waits_for.retain(&is_member);
            !is_member(dead)
        });
        self.early.retain(|of, _| is_member(of));
    }

    /// Takes those of whom everybody has spoken; and with them those who were waited for in vain.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(NodeId, HashSet<NodeId>)> {
        let is_over = |wake: &Wake| wake.waits_for.is_empty() || now.duration_since(wake.since) >= PATIENCE;
        let over = self.dead.extract_if(.., |_, wake| is_over(wake));
        over.map(|(dead, wake)| (dead, wake.waits_for)).collect()
    }

    /// Those of whom somebody has yet to speak.
    pub(super) fn dead(&self) -> impl Iterator<Item = &NodeId> {
        self.dead.keys()
    }

    pub(super) fn contains(&self, dead: &NodeId) -> bool {
        self.dead.contains_key(dead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    #[test]
    fn it_is_over_when_all_have_spoken_or_gone() {
        let (mut mourning, now) = (Mourning::default(), Instant::now());
        mourning.spoke_early(node("d"), node("a"), 7);
        mourning.spoke_early(node("d"), node("a"), 8);
        let early = mourning.begin(&node("d"), [node("a"), node("b"), node("c")].into(), now);
        assert_eq!(early, [(node("a"), 8)]);
        mourning.told(&node("d"), &node("a"));
        mourning.told(&node("d"), &node("b"));
        assert!(mourning.over(now).is_empty());
        assert_eq!(mourning.waiting_for(&node("c")).collect::<Vec<_>>(), [&node("d")]);
        mourning.members_changed(|member| ![node("c"), node("d")].contains(member));
        assert_eq!(mourning.over(now), [(node("d"), HashSet::new())]);
        assert!(!mourning.contains(&node("d")));
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let (mut mourning, now) = (Mourning::default(), Instant::now());
        mourning.begin(&node("d"), [node("a")].into(), now);
        assert_eq!(mourning.over(now + PATIENCE), [(node("d"), [node("a")].into())]);
    }

    #[test]
    fn who_is_back_is_not_mourned() {
        let (mut mourning, now) = (Mourning::default(), Instant::now());
        mourning.begin(&node("d"), [node("a")].into(), now);
        mourning.members_changed(|_| true);
        assert!(!mourning.contains(&node("d")));
        assert!(mourning.over(now + PATIENCE).is_empty());
    }
}
