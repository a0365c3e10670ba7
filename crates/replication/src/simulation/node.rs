//! A simulated node: the core, and an application that counts.

use std::collections::BTreeMap;

use crate::{Application, Core, NodeId, Position, Settings, ShardId};

/// What is replicated here: a list of records.
pub(super) enum Records {}

/// What is published, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) producer: u32,
    pub(super) sequence: u64,
}

/// A topic belongs to its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Topic {
    pub(super) shard: ShardId,
    pub(super) index: u8,
}

impl Application for Records {
    type State = Vec<u64>;
    type Record = u64;
    type Payload = Said;
    type Topic = Topic;
    type Producer = u32;

    fn record_size(_: &u64) -> usize {
        8
    }

    fn payload_size(_: &Said) -> usize {
        100
    }

    fn apply(state: &mut Vec<u64>, record: &u64) {
        state.push(*record);
    }
}

pub(super) struct Node {
    pub(super) core: Core<Records>,
    pub(super) id: NodeId,
    /// Records that are not committed, per shard.
    pub(super) waiting: BTreeMap<ShardId, Vec<(Position, u64)>>,
    /// Who publishes here: a producer has one node for life.
    pub(super) producer: u32,
    pub(super) sequence: u64,
    pub(super) subscribed: Vec<Topic>,
}

impl Node {
    pub(super) fn new(id: NodeId, shards: &[ShardId], producer: u32, settings: Settings) -> Self {
        Self {
            core: Core::new(id.clone(), shards.iter().copied(), settings),
            id,
            waiting: BTreeMap::new(),
            producer,
            sequence: 0,
            subscribed: Vec::new(),
        }
    }
}
