//! A cluster of equal nodes that hosts entities and spreads topics. It knows nothing of HTTP or Socket.IO.
//!
//! - [`Membership`]: who is there, by gossip.
//! - [`Placement`]: which member owns which shard of the key space; a pure function of the [`View`].
//! - [`Entities`]: what you write. They live in [`Lane`]s and move between nodes as members come and go.
//! - [`Cluster`]: asks an entity wherever it lives, and publishes to topics.
//! - [`ClusterNode`]: starts all that, and leaves.

mod ask;
mod backlog;
mod cluster;
mod entity;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handoff;
mod lane;
mod links;
mod log;
mod member;
mod membership;
mod replicated;
mod router;
mod secret;
mod settlement;
mod shard;
#[cfg(test)]
mod simulation;
mod stable_hash;
mod throttle;
mod topic;
mod trace;
mod version;
mod wire;

pub use cluster::{Cluster, ClusterConfig, ClusterNode, Fatal, StartError};
pub use entity::{Change, Entities, ReplyTo, Weigh, Wire};
pub use lane::{CommitId, Lane, LaneHandle, Missed};
pub use links::{
    Channel, Credit, LinkDown, LinkEvents, LinkLife, LinkLimits, LinkListener, LinkSender, Links,
    LinksConfig, LinksError, SendError,
};
pub use log::{Entry, LogId, LogLimits, Marks, Position};
pub use member::{Incarnation, InvalidNodeName, Member, NodeId, NodeName, Phase, View};
pub use membership::{
    Membership, MembershipConfig, MembershipError, MembershipEvent, MembershipTiming, Unfit,
};
pub use replicated::{
    Hold, Listen, Listener, Producer, Refused, Told, TopicFigures, TopicPosition, TopicSettings, Topics,
};
pub use router::RequestError;
pub use secret::{ExposedWithoutSecret, MacKeys, Secret, SecretError, Secrets};
pub use shard::{InvalidShardCount, Key, Placement, ShardCount, ShardId};
pub use stable_hash::StableHash;
pub use topic::{Publication, Subscribed, Topic};
pub use version::{InvalidVersions, WireVersions};
pub use wire::fingerprint;
