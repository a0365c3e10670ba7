//! What is replicated for topics.

use bytes::Bytes;
use hither_replication::Application;

use crate::{
    member::NodeId,
    shard::{Key, ShardId},
    topic::Topic,
};

/// Names whoever publishes, over all its moves and on all nodes.
pub type Producer = Key;

/// A place in the order of a topic. It stays what it is when the topic moves.
pub type TopicPosition = hither_replication::Position;

/// Topics, and nothing else: a shard has no state of its own.
pub(super) enum Publications {}

impl Application for Publications {
    type State = ();
    type Record = ();
    /// Encoded, for it is kept in the log and sent to several nodes.
    type Payload = Bytes;
    type Topic = Topic;
    type Producer = Producer;

    fn record_size((): &()) -> usize {
        0
    }

    fn payload_size(payload: &Bytes) -> usize {
        payload.len()
    }

    fn apply((): &mut (), (): &()) {}
}

/// A node as the core names it.
pub(super) fn core_node(node: &NodeId) -> hither_replication::NodeId {
    hither_replication::NodeId::new(node.name.shared(), node.incarnation.0)
}

/// A shard as the core names it.
pub(super) fn core_shard(shard: ShardId) -> hither_replication::ShardId {
    hither_replication::ShardId(shard.0)
}
