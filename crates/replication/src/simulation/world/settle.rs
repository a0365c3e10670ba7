//! How a schedule comes to its end, and whether all is as it should be.

use super::{Verdict, World};
use crate::NodeId;

/// What does not settle within so many steps never does.
const SETTLING_STEPS: usize = 60_000;

impl World {
    /// Lets all that is under way come to its end, and looks at what has come of it.
    pub(super) fn settle(&mut self) -> Verdict {
        self.tell(|| "--- no more faults".into());
        self.heal();
        while let Some(id) = self.doomed.first().cloned() {
            self.end(&id);
        }
        let pairs: Vec<_> = self.pairs().collect();
        for (one, other) in pairs {
            if !self.network.are_connected(&one, &other) {
                self.connect(&one, &other)?;
            }
        }
        for _ in 0..SETTLING_STEPS {
            let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
            for node in nodes {
                while self.views[&node] != self.members {
                    self.learn_one(&node)?;
                }
            }
            self.recover()?;
            if !self.network.busy().is_empty() {
                self.deliver_any()?;
            } else if self.is_settled() {
                self.judge.final_verdict()?;
                return self.clients_verdict();
            } else {
                self.return_all()?;
                self.pass_time()?;
            }
        }
        Err(format!("does not settle: {}", self.holders()))
    }

    pub(super) fn holders(&self) -> String {
        let mut lines = Vec::new();
        for shard in &self.shards {
            for node in self.nodes.values() {
                let serves = node.core.state(*shard).is_some();
                lines.push(format!(
                    "{} of {}: serves {serves}, {:?}",
                    node.id,
                    shard.0,
                    node.core.claim(*shard)
                ));
            }
        }
        lines.join("\n")
    }

    /// Whether each shard is where it should be, and nothing waits.
    pub(super) fn is_settled(&self) -> bool {
        let mut nodes = self.nodes.values();
        let is_idle = nodes.all(|node| node.core.is_quiet() && node.unwritable.is_empty());
        let is_committed = self
            .nodes
            .values()
            .all(|node| node.waiting.values().all(Vec::is_empty));
        self.is_placed() && is_idle && is_committed && self.are_clients_served()
    }

    pub(super) fn is_placed(&self) -> bool {
        self.shards.iter().all(|shard| {
            let target = self.target(&self.members, *shard);
            let Some(node) = target.holder.as_ref().and_then(|holder| self.nodes.get(holder)) else {
                return false;
            };
            node.core.state(*shard).is_some()
                && node
                    .core
                    .claim(*shard)
                    .is_some_and(|claim| claim.standby() == target.standby.as_ref())
        })
    }

    /// Whether all is again as it was before the last death: everybody knows of it, and every shard has its pair.
    pub(super) fn has_recovered(&self) -> bool {
        let is_known =
            self.doomed.is_empty() && self.views.values().all(|view| view.is_subset(&self.members));
        is_known && !self.judge.is_split() && self.is_placed()
    }

    /// Whether every shard survives the death of any one node.
    pub(super) fn is_redundant(&self) -> bool {
        self.shards.iter().all(|shard| {
            let members = self.nodes.values().filter(|node| self.members.contains(&node.id));
            members.into_iter().any(|node| {
                node.core.state(*shard).is_some()
                    && node
                        .core
                        .claim(*shard)
                        .and_then(|claim| claim.standby())
                        .is_some_and(|standby| self.members.contains(standby))
            })
        })
    }
}
