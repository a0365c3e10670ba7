//! The cluster as one node sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::ids::{NodeId, ShardId};

/// Where a shard should be, by a view. Who holds it now is another matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Who is to hold it.
    pub holder: Option<NodeId>,
    /// Who is to stand by.
    pub standby: Option<NodeId>,
}

/// The members that a node sees, and where shards should be by that.
#[derive(Clone, Debug, Default)]
pub struct View {
    members: BTreeSet<NodeId>,
    targets: BTreeMap<ShardId, Target>,
}

impl View {
    /// A view of these members. Shards without a target stay where they are.
    pub fn new(
        members: impl IntoIterator<Item = NodeId>,
        targets: impl IntoIterator<Item = (ShardId, Target)>,
    ) -> Self {
        Self {
            members: members.into_iter().collect(),
            targets: targets.into_iter().collect(),
        }
    }

    pub(crate) fn target(&self, shard: ShardId) -> Target {
        self.targets.get(&shard).cloned().unwrap_or_default()
    }
}

/// How a view differs from the one before.
pub(crate) struct Adopted {
    /// Who is new.
    pub(crate) joined: Vec<NodeId>,
    /// Those of them that were taken for dead: by a split, or for a pause.
    pub(crate) returned: Vec<NodeId>,
}

/// What a node knows of the other nodes.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) me: NodeId,
    pub(crate) view: View,
    /// The latest life of each node that is a member.
    latest: BTreeMap<Arc<str>, u64>,
    declared_dead: BTreeSet<NodeId>,
}

impl Peers {
    pub(crate) fn new(me: NodeId) -> Self {
        Self {
            me,
            view: View::default(),
            latest: BTreeMap::new(),
            declared_dead: BTreeSet::new(),
        }
    }

    /// Takes over a new view. Who was a member and is none any more is dead, until it is a member again.
    pub(crate) fn adopt(&mut self, view: View) -> Adopted {
        let former = std::mem::replace(&mut self.view, view);
        self.latest.clear();
        for node in &self.view.members {
            let latest = self.latest.entry(node.name().clone()).or_default();
            *latest = node.incarnation().max(*latest);
        }
        let joined: Vec<NodeId> = self.view.members.difference(&former.members).cloned().collect();
        let returned = joined
            .iter()
            .filter(|node| self.declared_dead.remove(node))
            .cloned()
            .collect();
        for node in former.members {
            if !self.view.members.contains(&node) {
                self.declared_dead.insert(node);
            }
        }
        Adopted { joined, returned }
    }

    /// Whether a node is dead, as far as this one can tell. One that is *not yet* a member is not dead.
    pub(crate) fn is_dead(&self, node: &NodeId) -> bool {
        let latest = self.latest.get(node.name());
        latest.is_some_and(|latest| *latest > node.incarnation()) || self.declared_dead.contains(node)
    }

    /// Who was a member, and is dead.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &NodeId> {
        self.declared_dead.iter()
    }

    pub(crate) fn is_member(&self, node: &NodeId) -> bool {
        self.view.members.contains(node)
    }

    /// All members but this node.
    pub(crate) fn others(&self) -> impl Iterator<Item = &NodeId> {
        self.view
            .members
            .iter()
            .filter(|node| **node != self.me && !self.is_dead(node))
    }
}
