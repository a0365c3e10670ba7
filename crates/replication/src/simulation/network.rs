//! Links: in order, until they are lost.

use std::collections::{BTreeMap, VecDeque};

use crate::{Message, NodeId};

use super::node::Records;

type Link = VecDeque<Message<Records>>;

#[derive(Default)]
pub(super) struct Network {
    /// By who sends and who receives.
    links: BTreeMap<(NodeId, NodeId), Link>,
}

impl Network {
    pub(super) fn connect(&mut self, one: &NodeId, other: &NodeId) {
        self.links.insert((one.clone(), other.clone()), Link::new());
        self.links.insert((other.clone(), one.clone()), Link::new());
    }

    pub(super) fn disconnect(&mut self, one: &NodeId, other: &NodeId) {
        self.links.remove(&(one.clone(), other.clone()));
        self.links.remove(&(other.clone(), one.clone()));
    }

    pub(super) fn are_connected(&self, one: &NodeId, other: &NodeId) -> bool {
        self.links.contains_key(&(one.clone(), other.clone()))
    }

    /// What is sent while there is no link is lost.
    pub(super) fn send(&mut self, from: &NodeId, to: &NodeId, message: Message<Records>) {
        if let Some(link) = self.links.get_mut(&(from.clone(), to.clone())) {
            link.push_back(message);
        }
    }

    pub(super) fn busy(&self) -> Vec<(NodeId, NodeId)> {
        let busy = self.links.iter().filter(|(_, link)| !link.is_empty());
        busy.map(|(ends, _)| ends.clone()).collect()
    }

    pub(super) fn take(&mut self, ends: &(NodeId, NodeId)) -> Option<Message<Records>> {
        self.links.get_mut(ends)?.pop_front()
    }

    /// What a node has sent may still arrive after its death; what was sent to it does not.
    pub(super) fn bury(&mut self, node: &NodeId) {
        self.links.retain(|(_, to), _| to != node);
    }
}
