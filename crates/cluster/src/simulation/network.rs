//! Links between the simulated nodes: in order, or cut with whatever was under way.

use std::collections::{BTreeMap, VecDeque};

use super::message::Message;
use crate::member::NodeId;

/// One life of one link. What is sent on a life that is over is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life(u64);

/// What comes out of a link at one end.
#[derive(Debug)]
pub(super) enum Signal {
    Up(Life),
    Message(Message),
    Down,
}

/// All links. Each direction is a queue; which of them moves next is the schedule's choice.
#[derive(Default)]
pub(super) struct Network {
    lives: BTreeMap<(NodeId, NodeId), Life>,
    queues: BTreeMap<(NodeId, NodeId), VecDeque<Signal>>,
    last_life: u64,
}

/// The same for both directions.
fn pair(one: &NodeId, other: &NodeId) -> (NodeId, NodeId) {
    if one < other {
        (one.clone(), other.clone())
    } else {
        (other.clone(), one.clone())
    }
}

impl Network {
    pub(super) fn is_connected(&self, one: &NodeId, other: &NodeId) -> bool {
        self.lives.contains_key(&pair(one, other))
    }

    /// A link comes up; each end hears of it when it has heard all that went before.
    pub(super) fn connect(&mut self, one: &NodeId, other: &NodeId) {
        self.last_life += 1;
        let life = Life(self.last_life);
        self.lives.insert(pair(one, other), life);
        for direction in [(one.clone(), other.clone()), (other.clone(), one.clone())] {
            self.queues
                .entry(direction)
                .or_default()
                .push_back(Signal::Up(life));
        }
    }

    /// Puts a message on its way, or returns it: the sender did not know yet that the link is cut.
    pub(super) fn send(
        &mut self,
        from: &NodeId,
        to: &NodeId,
        life: Life,
        message: Message,
    ) -> Option<Message> {
        if self.lives.get(&pair(from, to)) != Some(&life) {
            return Some(message);
        }
        let queue = self.queues.entry((from.clone(), to.clone())).or_default();
        queue.push_back(Signal::Message(message));
        None
    }

    /// Cuts a link. `keep` says how many of so many messages under way arrive all the same; the others are returned.
    pub(super) fn cut(
        &mut self,
        one: &NodeId,
        other: &NodeId,
        keep: &mut dyn FnMut(usize) -> usize,
    ) -> Vec<Message> {
        if self.lives.remove(&pair(one, other)).is_none() {
            return Vec::new();
        }
        let mut lost = Vec::new();
        for direction in [(one.clone(), other.clone()), (other.clone(), one.clone())] {
            let queue = self.queues.entry(direction).or_default();
            let under_way = queue
                .iter()
                .rev()
                .take_while(|signal| matches!(signal, Signal::Message(_)))
                .count();
            let rest = queue.split_off(queue.len() - under_way + keep(under_way));
            lost.extend(rest.into_iter().filter_map(|signal| match signal {
                Signal::Message(message) => Some(message),
                Signal::Up(_) | Signal::Down => None,
            }));
            queue.push_back(Signal::Down);
        }
        lost
    }

    /// Nobody listens at this node any more.
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.queues.retain(|(_, to), _| to != node);
    }

    /// The directions in which something is under way.
    pub(super) fn busy(&self) -> impl Iterator<Item = (&NodeId, &NodeId)> {
        self.queues
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|((from, to), _)| (from, to))
    }

    pub(super) fn take(&mut self, from: &NodeId, to: &NodeId) -> Option<Signal> {
        self.queues.get_mut(&(from.clone(), to.clone()))?.pop_front()
    }
}
