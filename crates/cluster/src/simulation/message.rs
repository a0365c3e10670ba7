//! What simulated nodes tell each other and their lanes: [`LinkMessage`](crate::ask::LinkMessage) and
//! [`LaneMessage`](crate::lane::LaneMessage) without bytes and credit.

use std::{fmt, sync::Arc};

use super::entity::Entity;
use crate::{
    handoff::Outcome,
    log::Marks,
    member::NodeId,
    shard::{Key, Placement},
    topic::{InterestChange, Publication, Topic},
    trace::TracePart,
};

#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// A request of a client that changes nothing.
    Find,
    Prepare {
        topics: Vec<Topic>,
    },
    /// `attempt` is of the asker's own count: the same again is a question whose answer was lost.
    Adopt {
        attempt: u64,
        snapshot: Entity,
        marks: Marks,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Found,
    /// The owner is sure that there is no such entity.
    Unknown,
    Prepared,
    Adopted,
    NotOwner,
}

/// Ties an answer to the task that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AskId(pub(super) u64);

/// Where an answer goes.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    Here(AskId),
    There(NodeId, AskId),
}

/// What goes over a link.
#[derive(Debug)]
pub(super) enum Message {
    Ask { id: AskId, key: Key, ask: Ask },
    Answer { id: AskId, answer: Answer },
    Publish(Arc<Publication<()>>),
    Introduction { topics: Vec<Topic> },
    Interest(InterestChange),
    InterestKnown { topic: Topic, change: u64 },
    Barrier { barrier: u64 },
    Passed { barrier: u64, number: u64 },
    Trace(TracePart),
    Settled { fingerprint: u64 },
}

/// What a lane finds in its mailbox.
#[derive(Debug)]
pub(super) enum LaneMessage {
    Ask { asker: Asker, key: Key, ask: Ask },
    Publication(Arc<Publication<()>>),
    Subscribed(Topic),
    Placed(Arc<Placement>),
    Settled { fingerprint: u64 },
    Passed { node: NodeId, barrier: u64, number: u64 },
    LinkUp(NodeId),
    LinkDown(NodeId),
    Prepared { key: Key, to: NodeId, outcome: Outcome },
    Adopted { key: Key, to: NodeId, outcome: Outcome },
    Flush,
    Deed(Deed),
}

/// What entities do of themselves.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Create(Key, Vec<Topic>),
    End(Key),
    Join(Key, Topic),
    Part(Key, Topic),
    /// A handler begins, so that the entity cannot be frozen.
    Start(Key),
    /// The handler ends.
    Finish(Key),
    /// The lane tells another node the order of its log from now on.
    Follow(NodeId),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Find => write!(f, "are you there?"),
            Self::Prepare { topics } => write!(f, "prepare for {topics:?}"),
            Self::Adopt { snapshot, marks, .. } => write!(f, "adopt {snapshot} from {marks:?}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { id, key, ask } => write!(f, "?{} {key}: {ask}", id.0),
            Self::Answer { id, answer } => write!(f, "!{} {answer:?}", id.0),
            Self::Publish(publication) => {
                write!(f, "publication {} to {:?}", publication.number, publication.topic)
            }
            Self::Interest(change) => write!(
                f,
                "interest {}: {} {:?}",
                change.change,
                if change.wanted { "wants" } else { "drops" },
                change.topic
            ),
            Self::InterestKnown { topic, change } => write!(f, "interest {change} in {topic:?} is known"),
            Self::Trace(part) => write!(f, "trace after {}: {} entries", part.before, part.entries.len()),
            Self::Settled { fingerprint } => write!(f, "settled under {:04x}", fingerprint & 0xffff),
            Self::Introduction { .. } | Self::Barrier { .. } | Self::Passed { .. } => write!(f, "{self:?}"),
        }
    }
}

impl fmt::Display for LaneMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { asker, key, ask } => write!(f, "{asker:?} asks {key}: {ask}"),
            Self::Publication(publication) => write!(
                f,
                "publication {} of {} to {:?}",
                publication.number, publication.origin, publication.topic
            ),
            Self::Placed(placement) => write!(
                f,
                "placed on {:?} ({:04x})",
                placement.view().up().map(|member| &member.id).collect::<Vec<_>>(),
                placement.fingerprint() & 0xffff
            ),
            Self::Settled { fingerprint } => write!(f, "all settled under {:04x}", fingerprint & 0xffff),
            other => write!(f, "{other:?}"),
        }
    }
}
