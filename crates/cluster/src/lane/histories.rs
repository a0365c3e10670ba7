//! The history of topics, which goes along with the entities that need it.

use super::{Lane, LaneState};
use crate::{
    entity::Entities,
    log::{History, Source},
    member::NodeId,
    shard::Key,
    topic::Topic,
};

/// What is told of one topic, in bytes of publications: a thousand messages of a chat.
const MAX_HISTORY_BYTES: usize = 256 << 10;

/// A lane that wants to know what was published to a topic of an entity here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryWant {
    pub(crate) node: NodeId,
    pub(crate) lane: u32,
    pub(crate) topic: Topic,
}

impl<E: Entities> Lane<E> {
    /// Something of an entity is about to come here, and its client may ask for what was published to these topics before
    /// this lane heard them. The entity's lane tells, before it hands out anything it is asked for later.
    pub fn inherit_topics(&mut self, from: &Key, topics: &[Topic]) {
        if let Some(owner) = self.placement.owner_of(from).cloned() {
            self.ask_history(&owner, from, topics);
        }
    }

    /// As [`inherit_topics`](Self::inherit_topics), from the node that has the entity.
    pub(super) fn ask_history(&mut self, node: &NodeId, key: &Key, topics: &[Topic]) {
        let source = Source {
            node: node.clone(),
            lane: self.router.lane_at(node, key),
        };
        if *node == *self.node() && source.lane as usize == self.index {
            return;
        }
        for topic in topics {
            if !self.log.awaits_history(topic, &source) {
                continue;
            }
            if self.pending.contains_key(topic) {
                let waiting = self.histories_to_ask.entry(topic.clone()).or_default();
                waiting.push((node.clone(), key.clone()));
            } else {
                self.router.ask_history(node, key, topic, self.index);
            }
        }
    }

    /// What is published to a topic from now on comes here: what was published before is asked for.
    pub(super) fn ask_histories(&mut self, topic: &Topic) {
        for (node, key) in self.histories_to_ask.remove(topic).unwrap_or_default() {
            self.router.ask_history(&node, &key, topic, self.index);
        }
    }
}

impl<E: Entities> LaneState<E> {
    /// Another lane tells a history.
    pub(super) fn inherit(&mut self, from: &Source, history: History<E::Publication>) {
        let reaches = history.reaches();
        self.lane.log.inherit(from, history, self.lane.now);
        // Of those who were gone before this node began nothing else will come: who begins to hear the topic here begins
        // after that.
        let router = self.lane.router.clone();
        for (node, number) in reaches.iter().filter(|(node, _)| !router.has_met(node)) {
            self.heard_up_to(node, number);
        }
    }

    /// All that was published before somebody asked for a history is here: it is told.
    pub(super) fn tell_history(&self, want: &HistoryWant) {
        let lane = &self.lane;
        let history = lane.log.history_of(&want.topic, MAX_HISTORY_BYTES, lane.now);
        lane.router.tell_history(want, lane.index, history);
    }
}
