//! Which nodes want which topics of a shard. Known to its holder alone, and in no replica: who becomes the holder is
//! told anew by all members.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    application::{Application, TopicOf},
    ids::{NodeId, Position},
    log::Publication,
};

pub(crate) struct Subscribers<A: Application> {
    topics: BTreeMap<TopicOf<A>, BTreeMap<NodeId, u64>>,
    /// Who has said all that it wants.
    complete: BTreeSet<NodeId>,
}

/// What one node is to be sent of what has been committed.
pub(crate) type Batch<A> = BTreeMap<NodeId, Vec<(Position, Publication<A>)>>;

impl<A: Application> Default for Subscribers<A> {
    fn default() -> Self {
        Self {
            topics: BTreeMap::new(),
            complete: BTreeSet::new(),
        }
    }
}

impl<A: Application> Subscribers<A> {
    /// Whether this is the node's latest word about the topic. If so, the node wants it.
    pub(crate) fn add(&mut self, node: &NodeId, topic: &TopicOf<A>, generation: u64) -> bool {
        let last = self
            .topics
            .entry(topic.clone())
            .or_default()
            .entry(node.clone())
            .or_default();
        let is_latest = generation >= *last;
        *last = generation.max(*last);
        is_latest
    }

    pub(crate) fn remove(&mut self, node: &NodeId, topic: &TopicOf<A>, generation: u64) {
        if let Some(nodes) = self.topics.get_mut(topic) {
            if nodes.get(node).is_some_and(|last| *last <= generation) {
                nodes.remove(node);
            }
            if nodes.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// What the node has said may not be true any more: it says it anew.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.complete.remove(node);
        self.topics.retain(|_, nodes| {
            nodes.remove(node);
            !nodes.is_empty()
        });
    }

    pub(crate) fn complete(&mut self, node: &NodeId) {
        self.complete.insert(node.clone());
    }

    pub(crate) fn are_complete<'a>(&self, mut nodes: impl Iterator<Item = &'a NodeId>) -> bool {
        nodes.all(|node| self.complete.contains(node))
    }

    pub(crate) fn nodes(&self) -> BTreeSet<NodeId> {
        self.topics.values().flat_map(BTreeMap::keys).cloned().collect()
    }

    pub(crate) fn sort_in(&self, batch: &mut Batch<A>, at: Position, publication: &Publication<A>) {
        for node in self
            .topics
            .get(&publication.topic)
            .into_iter()
            .flat_map(BTreeMap::keys)
        {
            batch
                .entry(node.clone())
                .or_default()
                .push((at, publication.clone()));
        }
    }
}
