//! Membership, shards, lanes and entities, links and topics: a cluster that knows nothing of HTTP or Socket.IO.

mod member;

pub use member::{Incarnation, InvalidNodeName, Member, NodeId, NodeName, Phase, View};
