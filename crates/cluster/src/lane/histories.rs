//! The history of topics, which goes along with the entities that need it.

use super::LaneState;
use crate::{entity::Entities, member::NodeId, shard::Key, topic::Topic};

/// What is told of one topic, in bytes of publications: a thousand messages of a chat.
const MAX_HISTORY_BYTES: usize = 256 << 10;

impl<E: Entities> LaneState<E> {
    /// An entity of another node may live on here, and its client may ask for what was published before this lane heard
    /// its topics.
    pub(super) fn ask_history(&mut self, source: &NodeId, key: &Key, topics: &[Topic]) {
        for topic in topics {
            if self.lane.log.awaits_history(topic, source) {
                self.lane.router.ask_history(source, key, topic, self.lane.index);
            }
        }
    }

    pub(super) fn tell_history(&self, to: &NodeId, topic: &Topic, lane: u32) {
        let history = self.lane.log.history_of(topic, MAX_HISTORY_BYTES);
        self.lane.router.tell_history(to, lane, history);
    }
}
