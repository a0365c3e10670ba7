//! What a node's core asks of the shell around it.

use std::fmt::Debug;

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Claim, NodeId, Position, ReplayId, ShardId},
    message::Message,
};

/// What the shell is to do, in this order.
pub enum Output<A: Application> {
    /// Send a message to another node.
    Send {
        /// The node.
        to: NodeId,
        /// The message.
        message: Message<A>,
    },
    /// This node holds the shard from now on: its state is what `Core::state` shows.
    Promoted(ShardId),
    /// This node does not hold the shard any more. Nothing that waited for its entries is to leave.
    Demoted(ShardId),
    /// Entries of a shard that this node holds are committed up to this number: what waited for them may leave.
    Committed {
        /// The shard.
        shard: ShardId,
        /// The number of the entry.
        number: u64,
    },
    /// A publication to a topic that this node subscribes to.
    Deliver {
        /// The topic.
        topic: TopicOf<A>,
        /// Where it stands in the order of the topic.
        at: Position,
        /// What was published.
        payload: A::Payload,
    },
    /// A subscription holds: all that is published behind this position will be delivered.
    Subscribed {
        /// The topic.
        topic: TopicOf<A>,
        /// The position.
        base: Position,
    },
    /// What was published to a topic since it was last heard here is not kept any more, or belongs to another history.
    /// The subscription goes on behind `base`.
    Gap {
        /// The topic.
        topic: TopicOf<A>,
        /// From where on all will be delivered.
        base: Position,
    },
    /// What was asked for by `Input::Replay`. It may come in several pieces.
    Replayed {
        /// Which request this answers.
        replay: ReplayId,
        /// What was published behind the position asked for, or behind the piece before, in order.
        publications: Vec<(Position, A::Payload)>,
        /// Up to where these are all.
        through: Position,
        /// Whether this is the last piece. What is published behind it is delivered, if the topic is subscribed to.
        is_last: bool,
    },
    /// What was asked for by `Input::Replay` is not kept any more, or belongs to another history.
    NotReplayable(ReplayId),
    /// The lease that was asked for by `Core::lease` may have begun: ask again.
    Leased(ShardId),
    /// A publication was not taken: too much waits for the shard. It must be published again before any later one of the same
    /// producer to that shard, when there is [room](crate::Core::has_room).
    Rejected {
        /// The shard.
        shard: ShardId,
        /// The producer.
        producer: ProducerOf<A>,
        /// Its number for the publication.
        sequence: u64,
    },
    /// Publications to a shard are taken again, after there was no room for any.
    Writable(ShardId),
    /// This node finds another holder of the shard than before, or the same in another custody; or, without a claim, knows of
    /// none any more. What is asked of the holder is to be asked of this one. It is what `Core::claim` shows at that time: when
    /// the standby alone changes, there is no such output.
    Routed {
        /// The shard.
        shard: ShardId,
        /// The claim of its holder.
        claim: Option<Claim>,
    },
    /// A producer's publications to a shard up to this one survive the death of any one node.
    Confirmed {
        /// The shard.
        shard: ShardId,
        /// The producer.
        producer: ProducerOf<A>,
        /// Its number for the publication.
        sequence: u64,
        /// Where it stands.
        at: Position,
    },
}

impl<A: Application> Debug for Output<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Send { to, message } => write!(f, "to {to}: {message:?}"),
            Self::Promoted(shard) => write!(f, "promoted to holder of {}", shard.0),
            Self::Demoted(shard) => write!(f, "no longer holder of {}", shard.0),
            Self::Committed { shard, number } => write!(f, "committed {} to {number}", shard.0),
            Self::Deliver { topic, at, payload } => write!(f, "deliver {payload:?} of {topic:?} at {at:?}"),
            Self::Subscribed { topic, base } => write!(f, "subscribed to {topic:?} from {base:?}"),
            Self::Gap { topic, base } => write!(f, "gap in {topic:?} before {base:?}"),
            Self::Replayed {
                replay,
                publications,
                through,
                is_last,
            } => write!(
                f,
                "replay {}: {publications:?} through {through:?}, last: {is_last}",
                replay.0
            ),
            Self::NotReplayable(replay) => write!(f, "cannot replay {}", replay.0),
            Self::Leased(shard) => write!(f, "leased {}", shard.0),
            Self::Rejected {
                shard,
                producer,
                sequence,
            } => write!(f, "rejected {producer:?}.{sequence} to {}", shard.0),
            Self::Writable(shard) => write!(f, "room for publications to {}", shard.0),
            Self::Routed { shard, claim } => match claim {
                Some(claim) => write!(
                    f,
                    "{} is held by {} since {:?}",
                    shard.0, claim.holder, claim.since
                ),
                None => write!(f, "{} has no holder", shard.0),
            },
            Self::Confirmed {
                shard,
                producer,
                sequence,
                at,
            } => write!(f, "confirmed {producer:?}.{sequence} in {} at {at:?}", shard.0),
        }
    }
}
