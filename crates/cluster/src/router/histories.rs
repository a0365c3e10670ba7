//! Asking the lanes of other nodes for the history of topics, and telling it.

use super::{
    Router, lock,
    topics::{pack, unpack},
};
use crate::{
    ask::LinkMessage,
    backlog::Parcel,
    entity::Entities,
    lane::{HistoryWant, LaneMessage},
    links::Credit,
    log::{History, Marks, Source},
    member::NodeId,
    shard::Key,
    topic::Topic,
};

impl<E: Entities> Router<E> {
    /// The lane of a node in which a key's shard runs, if that node has it.
    pub(crate) fn lane_at(&self, node: &NodeId, key: &Key) -> u32 {
        if *node == self.me {
            return self.lane_of(key) as u32;
        }
        let lanes = lock(&self.topics).heard.get(node).map_or(1, |heard| heard.lanes);
        self.placement().shards().shard_of(key).0 % lanes
    }

    /// Asks the owner of an entity what was published to a topic of it before a lane here heard that.
    pub(crate) fn ask_history(&self, owner: &NodeId, key: &Key, topic: &Topic, lane: usize) {
        let (topic, lane) = (topic.clone(), lane as u32);
        if *owner == self.me {
            let node = self.me.clone();
            self.to_lane(key, LaneMessage::HistoryWanted(HistoryWant { node, lane, topic }));
        } else {
            let key = key.clone();
            self.to_peer(owner, &LinkMessage::HistoryWanted { key, topic, lane });
        }
    }

    pub(crate) fn tell_history(
        &self,
        want: &HistoryWant,
        from_lane: usize,
        history: History<E::Publication>,
    ) {
        let HistoryWant { node: to, lane, .. } = want;
        if *to == self.me {
            return self.history_told(to, *lane, from_lane as u32, history, None);
        }
        let mut forgotten = history.forgotten;
        let mut publications = Vec::with_capacity(history.publications.len());
        for publication in &history.publications {
            match pack(publication) {
                Some(parcel) => publications.push((publication.origin.clone(), parcel)),
                None => forgotten.advance(&publication.origin, publication.number),
            }
        }
        self.to_peer(
            to,
            &LinkMessage::History {
                lane: *lane,
                from_lane: from_lane as u32,
                topic: history.topic,
                forgotten,
                is_whole: history.is_whole,
                publications,
            },
        );
    }

    pub(super) fn read_history(
        &self,
        topic: Topic,
        mut forgotten: Marks,
        is_whole: bool,
        parcels: Vec<(NodeId, Parcel)>,
    ) -> History<E::Publication> {
        let mut publications = Vec::with_capacity(parcels.len());
        for (origin, parcel) in parcels {
            match unpack(&origin, &parcel) {
                Some(publication) => publications.push(publication),
                None => forgotten.advance(&origin, parcel.number),
            }
        }
        History {
            topic,
            forgotten,
            is_whole,
            publications,
        }
    }

    pub(super) fn history_told(
        &self,
        node: &NodeId,
        lane: u32,
        from_lane: u32,
        history: History<E::Publication>,
        hold: Option<Credit>,
    ) {
        if let Some(lane) = self.lanes().get(lane as usize) {
            let from = Source {
                node: node.clone(),
                lane: from_lane,
            };
            lane.tell(LaneMessage::History { from, history, hold });
        }
    }
}
