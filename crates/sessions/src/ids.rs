//! Names and numbers.

use std::sync::Arc;

use hither_replication::ShardId;
use serde::{Deserialize, Serialize};

/// One socket: a client's place in one namespace, over all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketId {
    /// Where it lives.
    pub shard: ShardId,
    /// Tells it from all others of its shard, ever: drawn at random.
    pub number: u64,
}

/// A room of a namespace, or all of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Topic {
    /// Where its order is made.
    pub shard: ShardId,
    /// Its name.
    pub name: Arc<str>,
}

/// One connection of a client as far as one socket is concerned: drawn at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointId(pub u64);

/// How often an endpoint has attached itself. What belongs to a former attachment is ignored on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttachmentNumber(pub u64);

/// How often the client of a socket has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u32);

/// Counts what the client sends on one connection, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameNumber(pub u64);

impl FrameNumber {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Counts the events of a socket to its own client, from 1. Each is recorded, so that no number means two. Answers are told
/// apart by their frames, and what comes from rooms by its place there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutputNumber(pub u64);

impl OutputNumber {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One run of a handler, at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What of a socket sends something to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A call that no frame caused. It is recorded before anything that it sends leaves, and so need not be repeated.
    Calls,
    /// The frames of one connection, which may be handled again.
    Frames(Generation),
}

/// Who sends something to one shard: what is confirmed is told by shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Producer {
    /// The socket.
    pub socket: SocketId,
    /// What of it.
    pub source: Source,
    /// Where its receivers are.
    pub to: ShardId,
}

/// Which of its source's messages one is. A frame that is handled again sends the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sequence(pub u64);

impl Sequence {
    /// So many bits count what one frame sends: more than what a frame can hold has words.
    const BITS: u32 = 24;

    /// What a frame sends first.
    pub(crate) fn of(frame: FrameNumber) -> Self {
        Self(frame.0 << Self::BITS)
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
