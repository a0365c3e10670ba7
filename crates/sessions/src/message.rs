//! What passes between clients, endpoints, holders and handlers.

use std::time::Duration;

use bytes::Bytes;
use hither_replication::{self as replication, Position};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{
        AttachmentNumber, EndpointId, FrameNumber, OutputNumber, Producer, Sequence, SocketId, Source, Topic,
    },
    record::Replicated,
    state::Own,
};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientPacket {
    /// An event.
    Event {
        /// What.
        event: Bytes,
        /// The client's own number for the answer that it wants.
        ack: Option<u64>,
    },
    /// The answer to [`ServerPacket::Asking`].
    Ack {
        /// Which event it answers.
        asked: OutputNumber,
        /// The answer.
        answer: Bytes,
    },
    /// It leaves the namespace.
    Disconnect,
}

impl ClientPacket {
    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let bytes = match self {
            Self::Event { event: bytes, .. } | Self::Ack { answer: bytes, .. } => bytes.len(),
            Self::Disconnect => 0,
        };
        size_of::<Self>() + bytes
    }
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerPacket {
    /// It is in the namespace; again, and as the same socket, if `recovered`.
    Connected {
        /// Whether it goes on with a former socket.
        recovered: bool,
    },
    /// An event, from a room or to this socket alone.
    Event {
        /// What.
        event: Bytes,
        /// To be shown when the client returns.
        offset: ClientOffset,
    },
    /// An event that the client is to answer.
    Asking {
        /// What.
        event: Bytes,
        /// To be named in the answer.
        asked: OutputNumber,
    },
    /// The answer to an event of the client.
    Answer {
        /// The client's own number.
        ack: u64,
        /// The answer.
        answer: Bytes,
    },
    /// It is not in the namespace any more.
    Closed(ClosedBecause),
}

/// Up to where a client was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientOffset {
    /// Of the socket that it belongs to: a client that is given a new socket goes on to show the old offset.
    pub life: u32,
    /// The last event that was for this socket alone.
    pub events: OutputNumber,
    /// The same for rooms.
    pub heard: String,
    /// The last record of the socket on which that may depend. If the shard's history goes on without it, after a split, then
    /// numbers and memberships mean something else there.
    pub record: Position,
}

/// Why an endpoint has no socket any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClosedBecause {
    /// There is no such socket, and that is sure.
    Unknown,
    /// The client has returned through another endpoint.
    Superseded,
    /// What the client has missed is not known any more, or too much waits for it.
    CannotResume,
    /// The application does not want it.
    Refused(Bytes),
    /// The socket has ended.
    Ended,
    /// More was read of the client than the endpoint [takes](crate::Endpoint::is_full).
    Overrun,
}

/// What an endpoint says to a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToSocket {
    /// It wants to be served from now on. All frames that are not handled follow.
    Attach(How),
    /// What the client sent.
    Push {
        /// Its number.
        frame: FrameNumber,
        /// What.
        packet: ClientPacket,
    },
    /// It has written what was sent to it, and dropped the frames that were handled.
    Received {
        /// All frames up to this one.
        handled: FrameNumber,
        /// All outputs up to this one.
        output: OutputNumber,
    },
    /// The client's connection is lost.
    Lost,
}

/// How an endpoint comes to its socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum How {
    /// The socket is to be made.
    Open {
        /// What the client says about itself.
        auth: Bytes,
        /// Tells offsets of this socket from those of others: drawn at random.
        life: u32,
    },
    /// The client was there before, and was told up to here.
    Return(Option<ClientOffset>),
    /// This endpoint was attached before.
    Resume(Progress),
}

impl How {
    /// What of the history of the socket of this life it, or its client, has seen.
    pub(crate) fn records(&self, life: u32) -> impl Iterator<Item = Position> {
        let (offset, record) = match self {
            Self::Open { .. } => (None, None),
            Self::Return(offset) => (offset.as_ref(), None),
            Self::Resume(progress) => (progress.offset.as_ref(), Some(progress.record)),
        };
        let own = offset.filter(|offset| offset.life == life);
        own.map(|offset| offset.record).into_iter().chain(record)
    }

    /// Which events for the socket alone the endpoint, or its client, has.
    pub(crate) fn output(&self) -> OutputNumber {
        match self {
            Self::Open { .. } => OutputNumber::default(),
            Self::Return(offset) => offset
                .as_ref()
                .map_or_else(Default::default, |offset| offset.events),
            Self::Resume(progress) => progress.output,
        }
    }
}

/// How far an endpoint is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// These frames are handled.
    pub handled: FrameNumber,
    /// It has written all outputs up to this one.
    pub output: OutputNumber,
    /// What the client would show.
    pub offset: Option<ClientOffset>,
    /// The last record of the socket on which that may depend.
    pub record: Position,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            handled: FrameNumber::default(),
            output: OutputNumber::default(),
            offset: None,
            record: Position::start(),
        }
    }
}

/// What a holder says to an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToEndpoint {
    /// It is served.
    Attached {
        /// Whether the client goes on with a former socket.
        recovered: bool,
    },
    /// What the socket says, in order, and all frames that are handled by that. Both or none are taken.
    Batch {
        /// All frames up to this one.
        handled: FrameNumber,
        /// The last record of the socket on which that may depend.
        record: Position,
        /// With their numbers; events with what the client is to show.
        outputs: Vec<(OutputNumber, Own, ClientOffset)>,
    },
    /// An event from a room.
    Room {
        /// What.
        event: Bytes,
        /// What the client is to show.
        offset: ClientOffset,
    },
    /// It is served no more.
    Closed(ClosedBecause),
}

/// What nodes say to each other.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// About shards and topics.
    Core(replication::Message<Replicated>),
    /// From an endpoint.
    ToSocket {
        /// The endpoint.
        endpoint: EndpointId,
        /// Its attachment.
        attachment: AttachmentNumber,
        /// To whom.
        socket: SocketId,
        /// What.
        message: ToSocket,
    },
    /// To an endpoint.
    ToEndpoint {
        /// The endpoint.
        endpoint: EndpointId,
        /// Its attachment.
        attachment: AttachmentNumber,
        /// What.
        message: ToEndpoint,
    },
    /// An event for one socket.
    Direct {
        /// For whom.
        to: SocketId,
        /// Who sends it.
        producer: Producer,
        /// Which of its producer's it is.
        sequence: Sequence,
        /// The producer's event to this socket before this one, if that is not confirmed: it must come first.
        previous: Option<Sequence>,
        /// What.
        event: Bytes,
    },
    /// An event for one socket will not be lost, or the socket has ended.
    DirectConfirmed {
        /// For whom it was.
        to: SocketId,
        /// Who sent it.
        producer: Producer,
        /// Which it was.
        sequence: Sequence,
    },
}

/// What a handler is called for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// A client wants to be in the namespace.
    Connect(Bytes),
    /// A client has sent an event.
    Event {
        /// What.
        event: Bytes,
        /// Whether it wants an answer.
        wants_answer: bool,
    },
    /// An awaited ack has come, or will not come.
    Acked {
        /// What was kept for this moment.
        context: Bytes,
        /// What came.
        outcome: Result<Bytes, AckLost>,
    },
    /// The client has returned.
    Recovered,
    /// The socket ends.
    Disconnected,
}

/// Why an awaited ack does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckLost {
    /// The client had its time.
    TimedOut,
    /// The connection over which it was asked is gone.
    Disconnected,
    /// The client was not asked: too many acks are awaited.
    TooMany,
}

/// What a handler has done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Effects {
    /// The socket's data, if they were touched.
    pub data: Option<Bytes>,
    /// The topics that it joins.
    pub joins: Vec<Topic>,
    /// The topics that it leaves.
    pub leaves: Vec<Topic>,
    /// What its own client is told.
    pub emits: Vec<Emit>,
    /// What others are told.
    pub sends: Vec<(Destination, Bytes)>,
    /// The answer to the event, if one was wanted.
    pub answer: Option<Bytes>,
    /// The client is not wanted in the namespace; counts in [`Job::Connect`] alone.
    pub refusal: Option<Bytes>,
}

/// An event to the handler's own client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Emit {
    /// What.
    pub event: Bytes,
    /// Whether an ack is awaited.
    pub asks: Option<Asks>,
}

/// What is kept until an ack comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asks {
    /// For the handler.
    pub context: Bytes,
    /// How long the client has.
    pub timeout: Duration,
}

/// To whom something is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destination {
    /// All in a topic.
    Topic(Topic),
    /// All in any of these topics, each once. It is published to one after the other, and of several only to as many as are
    /// reached before its socket's client and holder are both lost: whoever repeats the frame publishes the rest.
    Topics(Vec<Topic>),
    /// One socket's client.
    Socket(SocketId),
}

impl Destination {
    /// In its shortest form; none if that is nobody.
    pub(crate) fn reduced(self) -> Option<Self> {
        let Self::Topics(all) = self else {
            return Some(self);
        };
        let mut topics: Vec<Topic> = Vec::new();
        for topic in all {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        match topics.len() {
            0 => None,
            1 => topics.pop().map(Self::Topic),
            _ => Some(Self::Topics(topics)),
        }
    }
}

/// What is published to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// What those in the topic are told.
    pub event: Bytes,
    /// The topics to which the same was published before, and where it stands there: whoever hears it through one of these does
    /// not hear it here.
    pub earlier: Vec<(Topic, Position)>,
}

/// Something that is to be sent to others, until it is confirmed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// What of its socket sends it.
    pub source: Source,
    /// Which it is.
    pub sequence: Sequence,
    /// To whom.
    pub destination: Destination,
    /// What.
    pub event: Bytes,
}

impl Intent {
    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.event.len()
    }

    /// Which of its source's messages its last copy is; one to each topic.
    pub(crate) fn last(&self) -> Sequence {
        let copies = match &self.destination {
            Destination::Topics(topics) => topics.len() as u64,
            Destination::Topic(_) | Destination::Socket(_) => 1,
        };
        Sequence(self.sequence.0 + copies.saturating_sub(1))
    }

    /// Tells it from all others of its socket.
    pub(crate) fn key(&self) -> (Source, Sequence) {
        (self.source, self.sequence)
    }
}
