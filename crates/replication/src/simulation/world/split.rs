//! Splits: nodes on different sides have no link and take each other for dead, until the sides are one again.

use std::collections::BTreeSet;

use rand::{RngExt, seq::IteratorRandom};

use super::{Verdict, World};
use crate::{NodeId, ShardId};

impl World {
    /// Whether no split is between two nodes.
    pub(super) fn are_together(&self, one: &NodeId, other: &NodeId) -> bool {
        self.sides.get(one) == self.sides.get(other)
    }

    /// Whom a node sees when it has learned of all.
    pub(super) fn seen_by(&self, node: &NodeId) -> BTreeSet<NodeId> {
        let all = self.members.iter();
        all.filter(|other| self.are_together(node, other))
            .cloned()
            .collect()
    }

    /// What may happen to a cluster in which all is well: the sides lose each other, or one node takes another for dead.
    pub(super) fn split_any(&mut self) -> Verdict {
        let is_well = self.recovers && !self.judge.is_split() && self.doomed.is_empty();
        if !self.faults.splits || !is_well || self.members.len() < 2 || !self.is_redundant() {
            return Ok(());
        }
        self.recovers = false;
        if self.rng.random_bool(0.3) {
            return self.mistake_any();
        }
        let sides = self.rng.random_range(2..=3);
        let nodes: Vec<NodeId> = self.members.iter().cloned().collect();
        let sided = nodes
            .into_iter()
            .map(|node| (node, self.rng.random_range(0..sides)));
        let sided: Vec<(NodeId, u8)> = sided.collect();
        self.split(sided);
        Ok(())
    }

    pub(super) fn split(&mut self, sides: Vec<(NodeId, u8)>) {
        self.tell(|| format!("the nodes are split: {sides:?}"));
        self.judge.split();
        self.sides = sides.into_iter().collect();
        let pairs: Vec<_> = self.pairs().collect();
        for (one, other) in pairs {
            if !self.are_together(&one, &other) {
                self.network.disconnect(&one, &other);
            }
        }
    }

    /// A node takes another one for dead, which knows nothing of that.
    fn mistake_any(&mut self) -> Verdict {
        let pairs: Vec<_> = self.pairs().collect();
        let Some((one, other)) = pairs.into_iter().choose(&mut self.rng) else {
            return Ok(());
        };
        self.judge.split();
        self.tell(|| format!("{one} takes {other} for dead"));
        if let Some(view) = self.views.get_mut(&one) {
            view.remove(&other);
        }
        self.update_view(&one)
    }

    /// Nothing is between the sides any more. Links and views follow.
    pub(super) fn heal(&mut self) {
        if !self.sides.is_empty() {
            self.tell(|| "the split is over".into());
            self.sides.clear();
        }
    }

    /// When all see each other after a split, and each shard has one holder that all know: looks at what has come of it.
    pub(super) fn recover(&mut self) -> Verdict {
        let is_one = self.sides.is_empty() && self.views.values().all(|view| *view == self.members);
        if !self.judge.is_split() || !is_one || !self.is_placed() {
            return Ok(());
        }
        let shards = self.shards.clone();
        if !shards.iter().all(|shard| self.is_undisputed(*shard)) {
            return Ok(());
        }
        self.tell(|| "--- what has come of the split".into());
        for shard in shards {
            let holders = self.nodes.values();
            for node in holders {
                if let (Some(log), Some(state)) = (node.core.log(shard), node.core.state(shard)) {
                    self.judge
                        .reconcile(&node.id, shard, log, state, node.breaks(shard))?;
                }
            }
        }
        self.judge.end_split();
        Ok(())
    }

    /// Whether one node holds a shard, and all know which.
    fn is_undisputed(&self, shard: ShardId) -> bool {
        let target = self.target(&self.members, shard).holder;
        let mut nodes = self.nodes.values();
        nodes.all(|node| {
            let holder = node.core.claim(shard).map(|claim| claim.holder());
            let is_holder = target.as_ref() == Some(&node.id);
            holder == target.as_ref() && node.core.log(shard).is_some() == is_holder
        })
    }
}
