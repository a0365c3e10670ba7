//! What nodes ask each other and what they answer.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    backlog::Parcel,
    entity::Entities,
    log::Marks,
    member::NodeId,
    shard::{Key, ShardClass},
    topic::{InterestChange, Topic},
    trace::TracePart,
};

/// Ties an answer to its question, on the node that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct AskId(pub(crate) u64);

/// A question about one entity.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Ask<E: Entities> {
    /// A request to the entity itself; for its owner.
    Entity(E::Request),
    /// Subscribe to the topics of an entity that is about to come.
    Prepare { topics: Vec<Topic> },
    /// Take over an entity, which has been served up to these marks. The number tells this move from all others.
    Adopt {
        move_id: u64,
        snapshot: E::Snapshot,
        marks: Marks,
    },
}

// Derived, it would ask for `E: Clone`.
impl<E: Entities> Clone for Ask<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Entity(request) => Self::Entity(request.clone()),
            Self::Prepare { topics } => Self::Prepare {
                topics: topics.clone(),
            },
            Self::Adopt {
                move_id,
                snapshot,
                marks,
            } => Self::Adopt {
                move_id: *move_id,
                snapshot: snapshot.clone(),
                marks: marks.clone(),
            },
        }
    }
}

/// The answer to an [`Ask`].
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Answer<E: Entities> {
    /// The entity's reply.
    Entity(E::Reply),
    /// All nodes know of the subscriptions.
    Prepared,
    /// The entity lives here now.
    Adopted,
}

/// Why a node did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The node does not own the entity, or not any more.
    NotOwner,
    /// Too many requests wait for a handoff to end.
    Overloaded,
    /// The question is larger than a message between nodes may be. Said by the node that asks.
    TooLarge,
    /// The lane dropped the question, because the entity ended or its code panicked.
    Dropped,
}

/// What two nodes have to know of each other before they go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Introduction {
    /// Counts the sender's introductions.
    pub(crate) introduction: u64,
    /// All topics that the sender wants.
    pub(crate) topics: Vec<Topic>,
    /// The number of the sender's last publication.
    pub(crate) number: u64,
    /// How far the sender has heard the receiver, if there was a link before: what follows is to be sent again.
    pub(crate) heard: Option<u64>,
    /// Whom the sender knows to be alive.
    pub(crate) members: Vec<NodeId>,
    /// How many lanes the sender has.
    pub(crate) lanes: u32,
    /// How often the sender has taken the receiver for gone, and over what it had replicas of.
    pub(crate) counted_out: u64,
}

/// How an entity is, for its standby.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ReplicaUpdate<Snapshot, Delta> {
    /// All of it; an [`Entities::Snapshot`].
    Whole { version: u64, snapshot: Snapshot },
    /// What has changed since a version; an [`Entities::Delta`].
    Changed { since: u64, version: u64, delta: Delta },
}

impl<Snapshot, Delta> ReplicaUpdate<Snapshot, Delta> {
    /// The same update in another form, such as encoded or decoded.
    pub(crate) fn try_map<OtherSnapshot, OtherDelta, Error>(
        self,
        of_snapshot: impl FnOnce(Snapshot) -> Result<OtherSnapshot, Error>,
        of_delta: impl FnOnce(Delta) -> Result<OtherDelta, Error>,
    ) -> Result<ReplicaUpdate<OtherSnapshot, OtherDelta>, Error> {
        Ok(match self {
            Self::Whole { version, snapshot } => ReplicaUpdate::Whole {
                version,
                snapshot: of_snapshot(snapshot)?,
            },
            Self::Changed {
                since,
                version,
                delta,
            } => ReplicaUpdate::Changed {
                since,
                version,
                delta: of_delta(delta)?,
            },
        })
    }
}

/// What goes over a link. Kept in one order by the link.
#[derive(Serialize, Deserialize)]
pub(crate) enum LinkMessage {
    /// A question; `ask` is an [`Ask`].
    Ask { id: AskId, key: Key, ask: Bytes },
    /// The answer; the bytes are an [`Answer`].
    Answer {
        id: AskId,
        answer: Result<Bytes, Refusal>,
    },
    /// For the lanes; the bytes are an [`Entities::Direct`].
    Direct(Bytes),
    /// A publication of the sender; its payload is an [`Entities::Publication`].
    Publish(Parcel),
    /// A publication of another node that is gone, which the receiver did not get.
    Legacy { origin: NodeId, parcel: Parcel },
    /// How far the sender had heard a node that is gone.
    Heard { origin: NodeId, number: u64 },
    /// The receiver has been sent all that the sender had heard more of a node that is gone.
    LegacyTold { origin: NodeId },
    /// The first message on every link, and again when the receiver is a member once more.
    Introduction(Introduction),
    /// The receiver's introduction has come: from here on the sender's publications follow what the receiver had heard.
    /// All that it wants after this number is sent.
    Continues { introduction: u64, after: u64 },
    /// Whom the sender knows to be alive has changed.
    Members(Vec<NodeId>),
    /// What the sender wants has changed.
    Interest(InterestChange),
    /// The sender knows of a change: all that it publishes to the topic after this number is sent.
    InterestKnown { topic: Topic, change: u64, after: u64 },
    /// Answer with `Passed`, behind everything published so far.
    Barrier { lane: u32, barrier: u64 },
    /// Everything that the sender had published before the barrier came before this; the last had this number.
    Passed { lane: u32, barrier: u64, number: u64 },
    /// What was published to a topic of this entity? For one of the sender's lanes.
    HistoryWanted { key: Key, topic: Topic, lane: u32 },
    /// The answer, for that lane, from this one of the sender.
    History {
        lane: u32,
        from_lane: u32,
        topic: Topic,
        forgotten: Marks,
        is_whole: bool,
        publications: Vec<(NodeId, Parcel)>,
    },
    /// The order of the log of one of the sender's lanes goes on.
    Trace(TracePart),
    /// How an entity of the sender is, for its standby; none when nothing is to be kept of it.
    Replica {
        key: Key,
        update: Option<ReplicaUpdate<Bytes, Bytes>>,
    },
    /// Of the entities of a class of shards these are all that the receiver has replicas of from the sender.
    ReplicasKept { class: ShardClass, keys: Vec<Key> },
    /// The sender has handed off everything that is not its own by this placement.
    Settled { fingerprint: u64 },
}
