//! Asking the lanes of other nodes for the history of topics, and telling it.

use std::sync::Arc;

use tracing::error;

use super::{Router, lock};
use crate::{
    ask::LinkMessage,
    backlog::Parcel,
    entity::Entities,
    lane::LaneMessage,
    links::Credit,
    log::{History, Marks, Source},
    member::NodeId,
    shard::Key,
    topic::{Publication, Topic},
    wire,
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
            let from = self.me.clone();
            self.to_lane(key, LaneMessage::HistoryWanted { from, topic, lane });
        } else {
            let key = key.clone();
            self.to_peer(owner, &LinkMessage::HistoryWanted { key, topic, lane });
        }
    }

    pub(crate) fn tell_history(
        &self,
        to: &NodeId,
        lane: u32,
        from_lane: usize,
        history: History<E::Publication>,
    ) {
        if *to == self.me {
            return self.history_told(to, lane, from_lane as u32, history, None);
        }
        let mut forgotten = history.forgotten;
        let mut publications = Vec::with_capacity(history.publications.len());
        for publication in &history.publications {
            match wire::encode(&publication.payload) {
                Ok(payload) => publications.push((
                    publication.origin.clone(),
                    Parcel {
                        number: publication.number,
                        topic: publication.topic.clone(),
                        cause: publication.cause,
                        payload,
                    },
                )),
                Err(error) => {
                    error!(topic = ?history.topic, %error, "a publication could not be encoded");
                    forgotten.advance(&publication.origin, publication.number);
                }
            }
        }
        self.to_peer(
            to,
            &LinkMessage::History {
                lane,
                from_lane: from_lane as u32,
                topic: history.topic,
                forgotten,
                publications,
            },
        );
    }

    pub(super) fn read_history(
        &self,
        from: &NodeId,
        topic: Topic,
        mut forgotten: Marks,
        parcels: Vec<(NodeId, Parcel)>,
    ) -> History<E::Publication> {
        let mut publications = Vec::with_capacity(parcels.len());
        for (origin, parcel) in parcels {
            match wire::decode(&parcel.payload) {
                Ok(payload) => publications.push(Arc::new(Publication {
                    origin,
                    number: parcel.number,
                    topic: parcel.topic,
                    cause: parcel.cause,
                    payload,
                })),
                Err(error) => {
                    error!(peer = %from, ?topic, %error, "a publication cannot be read");
                    forgotten.advance(&origin, parcel.number);
                }
            }
        }
        History {
            topic,
            forgotten,
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
