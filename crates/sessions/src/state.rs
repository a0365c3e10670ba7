//! What is replicated of the sockets of a shard.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use hither_replication::Memberships;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{EndpointId, FrameNumber, Generation, OutputNumber, Producer, Sequence, SocketId, Topic},
    kept::Kept,
    message::{ClientOffset, Intent},
};

/// The sockets of a shard.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) sockets: BTreeMap<SocketId, SocketState>,
}

impl State {
    /// A socket, also one that has ended and has not sent all yet.
    pub fn socket(&self, id: &SocketId) -> Option<&SocketState> {
        self.sockets.get(id)
    }

    /// All sockets.
    pub fn sockets(&self) -> impl Iterator<Item = (&SocketId, &SocketState)> {
        self.sockets.iter()
    }
}

/// What a socket says to its client, until the client's endpoint has it; an event, also for when the client returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Own {
    /// An event.
    Event(Bytes),
    /// An event that the client is to answer; its number names the answer.
    Asking(Bytes),
    /// The answer to an event of the client.
    Answer {
        /// Of the event. It has no number of its own among what the socket says: whoever has this frame handled has it.
        frame: FrameNumber,
        /// The client's own number.
        ack: u64,
        /// The answer.
        answer: Bytes,
    },
}

/// An ack that is awaited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Awaited {
    /// What is kept for the handler.
    pub context: Bytes,
    /// How long the client has; a new holder gives it all of that again.
    pub timeout: Duration,
    /// Over which connection it was asked.
    pub generation: Generation,
}

impl Awaited {
    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.context.len()
    }
}

/// A socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SocketState {
    pub(crate) life: u32,
    pub(crate) generation: Generation,
    pub(crate) endpoint: EndpointId,
    /// Those that had it before: what they still want comes too late.
    pub(crate) former: Vec<EndpointId>,
    pub(crate) data: Bytes,
    pub(crate) memberships: Memberships<Topic>,
    /// Of this generation.
    pub(crate) handled: FrameNumber,
    pub(crate) last_output: OutputNumber,
    /// What the endpoint has not confirmed, and events for when the client returns.
    pub(crate) outgoing: Kept,
    /// How many bytes of that are kept.
    pub(crate) keeps: u32,
    /// Events up to this one may have been dropped before the endpoint had them: there were too many.
    pub(crate) dropped: OutputNumber,
    /// Events up to this one are not kept any more.
    pub(crate) forgotten: OutputNumber,
    /// Those up to this one are forgotten when the window is over once more.
    pub(crate) aging: OutputNumber,
    pub(crate) awaited: BTreeMap<OutputNumber, Awaited>,
    pub(crate) outbox: VecDeque<Intent>,
    /// Of what calls have sent.
    pub(crate) last_sequence: Sequence,
    /// The last direct event of each sender; those that sent nothing lately are in the second.
    pub(crate) heard: [BTreeMap<Producer, Sequence>; 2],
    /// The handler knows of the client's return.
    pub(crate) announced: Generation,
    pub(crate) has_ended: bool,
}

impl SocketState {
    pub(crate) fn new(endpoint: EndpointId, life: u32, keeps: u32) -> Self {
        Self {
            life,
            generation: Generation::default(),
            endpoint,
            former: Vec::new(),
            data: Bytes::new(),
            memberships: Memberships::new(life),
            handled: FrameNumber::default(),
            last_output: OutputNumber::default(),
            outgoing: Kept::default(),
            keeps,
            dropped: OutputNumber::default(),
            forgotten: OutputNumber::default(),
            aging: OutputNumber::default(),
            awaited: BTreeMap::new(),
            outbox: VecDeque::new(),
            last_sequence: Sequence::default(),
            heard: Default::default(),
            announced: Generation::default(),
            has_ended: false,
        }
    }

    /// What the application keeps.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The topics that it is in.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.memberships.topics()
    }

    /// The acks that are awaited.
    pub fn awaited(&self) -> impl Iterator<Item = (&OutputNumber, &Awaited)> {
        self.awaited.iter()
    }

    /// Whether it has ended, and only what it sent to others is not confirmed.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// The last direct event that came from a sender.
    pub(crate) fn heard(&self, producer: &Producer) -> Option<Sequence> {
        self.heard.iter().find_map(|heard| heard.get(producer)).copied()
    }

    /// Behind which event a client that shows this goes on; none if what it has missed is not known.
    pub(crate) fn resume(&self, offset: Option<&ClientOffset>) -> Option<OutputNumber> {
        let told = offset
            .filter(|offset| offset.life == self.life)
            .map_or(OutputNumber::default(), |offset| offset.events);
        (self.forgotten <= told && told <= self.last_output).then_some(told)
    }

    /// The window is over once more.
    pub(crate) fn age(&mut self) {
        self.forget(self.aging);
        self.aging = self.last_output;
        self.heard[1] = std::mem::take(&mut self.heard[0]);
        self.former.clear();
    }

    /// Events up to this one are for nobody, if the endpoint has them.
    fn forget(&mut self, through: OutputNumber) {
        self.forgotten = self.forgotten.max(through);
    }
}
