//! What nodes say to each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Claim, NodeId, Position, ReplayId, ShardId, Term},
    lease::Leasing,
    log::{Entry, Publication},
    replica::Replica,
};

/// A message of one node to another. A link delivers them in order, and says when it cannot.
///
/// What is read of bytes is valid in itself. How it looks in bytes says [`codec`](crate::codec); their version, and how many of
/// them are believed, is for who owns the links.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Message<A: Application>(pub(crate) Content<A>);

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all messages are about a shard: a box would be one allocation more for each"
)]
pub(crate) enum Content<A: Application> {
    Shard(ShardId, Kind<A>),
    Leasing(Leasing),
    /// The sender took the receiver for dead, and has read nothing of what it has said since.
    Returned,
}

/// What is said about one shard.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Kind<A: Application> {
    Custody(Custody),
    Replication(Replication<A>),
    Topics(Topics<A>),
}

/// Who holds the shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Custody {
    /// The sender holds the shard under this claim.
    Announce(Claim),
    /// Something of a lower term than this was said. The sender has heard of this claim.
    Superseded(Claim),
    /// Does the receiver hold the shard? If so, it announces.
    WhoHolds,
    /// A node that may become the holder asks everybody what they hold.
    Inquire { round: u64, heard: Option<Claim> },
    /// The answer.
    Holding {
        round: u64,
        heard: Option<Claim>,
        holding: Holding,
        /// Who of the pair of that claim is dead, as far as the sender knows, or of all nodes when it has heard of no claim.
        /// The receiver may never have seen them alive.
        dead: Vec<NodeId>,
    },
}

/// What a node has of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holding {
    /// It holds the shard.
    Holds(Claim),
    /// It may take over when the holder dies.
    MayPromote,
    /// A copy that nobody keeps in step.
    Copy(Position),
    Nothing,
}

/// How a shard's copies are kept in step, and change places.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Replication<A: Application> {
    /// The holder makes the receiver a learner.
    Enlist {
        since: Term,
        claim: Claim,
    },
    /// How far the learner's own copy reaches.
    Enlisted {
        since: Term,
        last: Position,
    },
    /// A whole copy.
    Install {
        since: Term,
        replica: Replica<A>,
    },
    /// Entries that follow `after` directly.
    Append {
        since: Term,
        after: Position,
        entries: Vec<Entry<A>>,
    },
    /// The follower has all up to this number.
    Appended {
        since: Term,
        number: u64,
    },
    /// The follower cannot append: this is the last that it has.
    OutOfStep {
        since: Term,
        last: Position,
    },
    /// The sender is no follower of the receiver, and may not promote itself.
    Resigned {
        since: Term,
    },
    /// From now on the receiver, who is in step, may promote itself. `former` may too until it is discharged.
    Name {
        claim: Claim,
        former: Option<NodeId>,
    },
    Named {
        term: Term,
    },
    /// The receiver's place is taken: it may not promote itself any more.
    Discharge {
        claim: Claim,
    },
    Discharged {
        term: Term,
    },
    /// The standby becomes the holder under this claim, and the sender its standby.
    TakeOver {
        claim: Claim,
        last: Position,
    },
    /// A node without a copy asks for that of the receiver.
    Fetch {
        round: u64,
    },
    Fetched {
        round: u64,
        replica: Replica<A>,
    },
}

/// What is published and heard.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Topics<A: Application> {
    Publish(Intent<A>),
    /// The producer's publications up to this one are committed.
    Confirm {
        producer: ProducerOf<A>,
        sequence: u64,
        at: Position,
    },
    Subscribe {
        topic: TopicOf<A>,
        /// Grows with each word of the sender about its subscriptions: what is overtaken is ignored.
        generation: u64,
        /// Up to where the sender has heard the topic, if it has.
        from: Option<Position>,
    },
    Unsubscribe {
        topic: TopicOf<A>,
        generation: u64,
    },
    Subscribed {
        since: Term,
        agreement: Agreement<A>,
    },
    /// What was published to the topic behind this position? Or where does it end now?
    Replay {
        replay: ReplayId,
        topic: TopicOf<A>,
        from: Option<Position>,
    },
    Replayed {
        since: Term,
        replay: ReplayId,
        /// None if it is not known any more.
        missed: Option<Excerpt<A>>,
    },
    /// Publications of topics that the receiver subscribes to, and up to where these are all.
    Publications {
        since: Term,
        publications: Vec<(Position, Publication<A>)>,
        through: Position,
    },
    /// The sender has said what it subscribes to in this shard, since the receiver announced itself.
    AllSubscribed {
        since: Term,
    },
}

/// The answer to who subscribes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Agreement<A: Application> {
    pub(crate) topic: TopicOf<A>,
    /// Of the request that this answers.
    pub(crate) generation: u64,
    pub(crate) start: Start<A>,
}

/// From where on all of a topic will be delivered.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Start<A: Application> {
    /// From behind this position on: the topic was not heard before, or what was missed is not known any more.
    At(Position),
    /// From behind what is said here, if that is all that was missed.
    Behind(Excerpt<A>),
}

/// All that was published to a topic between a position and another one.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Excerpt<A: Application> {
    pub(crate) publications: Vec<(Position, Publication<A>)>,
    pub(crate) through: Position,
    /// Whether this is all that is committed. Else the rest is to be asked for: a message has bounds.
    pub(crate) is_all: bool,
}

/// A publication on its way to the holder.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Intent<A: Application> {
    pub(crate) topic: TopicOf<A>,
    pub(crate) producer: ProducerOf<A>,
    pub(crate) sequence: u64,
    /// The producer's publication to this shard before this one, if that is not confirmed yet. The holder accepts them
    /// only in this order: else its confirmation of a later one would cover one that it refused.
    pub(crate) previous: Option<u64>,
    pub(crate) payload: A::Payload,
}

impl<A: Application> Intent<A> {
    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + A::payload_size(&self.payload)
    }
}

impl<A: Application> Clone for Intent<A> {
    fn clone(&self) -> Self {
        Self {
            topic: self.topic.clone(),
            producer: self.producer.clone(),
            sequence: self.sequence,
            previous: self.previous,
            payload: self.payload.clone(),
        }
    }
}

impl<A: Application> From<Custody> for Kind<A> {
    fn from(message: Custody) -> Self {
        Self::Custody(message)
    }
}

impl<A: Application> From<Replication<A>> for Kind<A> {
    fn from(message: Replication<A>) -> Self {
        Self::Replication(message)
    }
}

impl<A: Application> From<Topics<A>> for Kind<A> {
    fn from(message: Topics<A>) -> Self {
        Self::Topics(message)
    }
}

impl<A: Application> fmt::Debug for Message<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Shard(shard, kind) => write!(f, "[{}] {kind:?}", shard.0),
            Content::Leasing(message) => message.fmt(f),
            Content::Returned => f.write_str("Returned"),
        }
    }
}

impl<A: Application> fmt::Debug for Kind<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custody(message) => message.fmt(f),
            Self::Replication(message) => message.fmt(f),
            Self::Topics(message) => message.fmt(f),
        }
    }
}

impl<A: Application> fmt::Debug for Replication<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enlist { claim, .. } => write!(f, "Enlist under {claim:?}"),
            Self::Enlisted { last, .. } => write!(f, "Enlisted at {last:?}"),
            Self::Install { replica, .. } => write!(f, "Install {replica:?}"),
            Self::Append { after, entries, .. } => write!(f, "Append after {after:?}: {entries:?}"),
            Self::Appended { number, .. } => write!(f, "Appended to {number}"),
            Self::OutOfStep { last, .. } => write!(f, "OutOfStep at {last:?}"),
            Self::Resigned { .. } => f.write_str("Resigned"),
            Self::Name { claim, former } => write!(f, "Name {claim:?}, former {former:?}"),
            Self::Named { term } => write!(f, "Named {term:?}"),
            Self::Discharge { claim } => write!(f, "Discharge for {claim:?}"),
            Self::Discharged { term } => write!(f, "Discharged {term:?}"),
            Self::TakeOver { claim, last } => write!(f, "TakeOver {claim:?} at {last:?}"),
            Self::Fetch { .. } => f.write_str("Fetch"),
            Self::Fetched { replica, .. } => write!(f, "Fetched {replica:?}"),
        }
    }
}

impl<A: Application> fmt::Debug for Topics<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(intent) => write!(
                f,
                "Publish {:?} to {:?} by {:?}.{} after {:?}",
                intent.payload, intent.topic, intent.producer, intent.sequence, intent.previous
            ),
            Self::Confirm {
                producer,
                sequence,
                at,
                ..
            } => write!(f, "Confirm {producer:?}.{sequence} at {at:?}"),
            Self::Subscribe {
                topic,
                generation,
                from,
            } => write!(f, "Subscribe({generation}) {topic:?} from {from:?}"),
            Self::Unsubscribe { topic, generation } => write!(f, "Unsubscribe({generation}) {topic:?}"),
            Self::Subscribed { agreement, .. } => {
                write!(f, "Subscribed({}) {:?} ", agreement.generation, agreement.topic)?;
                match &agreement.start {
                    Start::At(base) => write!(f, "at {base:?}"),
                    Start::Behind(excerpt) => excerpt.fmt(f),
                }
            }
            Self::Replay { replay, topic, from } => write!(f, "Replay({}) {topic:?} from {from:?}", replay.0),
            Self::Replayed { replay, missed, .. } => write!(f, "Replayed({}) {missed:?}", replay.0),
            Self::Publications {
                publications,
                through,
                ..
            } => write!(
                f,
                "Publications {:?} through {through:?}",
                publications
                    .iter()
                    .map(|(at, publication)| (at, &publication.payload))
                    .collect::<Vec<_>>()
            ),
            Self::AllSubscribed { .. } => f.write_str("AllSubscribed"),
        }
    }
}

impl<A: Application> fmt::Debug for Excerpt<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.is_all { "" } else { " and more" };
        write!(f, "{} through {:?}{rest}", self.publications.len(), self.through)
    }
}
