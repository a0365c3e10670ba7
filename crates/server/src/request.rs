//! What the node at which a client's request or socket landed asks of the node that owns the session.
//!
//! Four requests carry everything — open, push, pull, close — and a WebSocket is attached once.

use bytes::Bytes;
use bytestring::ByteString;
use hither_cluster::{Marks, NodeId, Position, Topic, Weigh};
use hither_engineio::{Frame, Refusal, TransportName};
use hither_socketio::{NamespaceName, Offset, RecoveryId};
use serde::{Deserialize, Serialize};

use crate::{handshake::Handshake, sessions::Surrendered};

/// Which of the server's mounted services a session belongs to: its position in the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ServiceIndex(pub(crate) u16);

impl ServiceIndex {
    /// Socket.IO, which every server has.
    pub(crate) const SOCKET_IO: Self = Self(0);
}

/// A WebSocket of some client, at the node where it landed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct SocketAddress {
    /// The node that holds the socket.
    pub(crate) ingress: NodeId,
    /// Its number there.
    pub(crate) number: SocketNumber,
}

/// A WebSocket among those of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SocketNumber(pub(crate) u64);

/// One numbering of the frames to a socket. When another copy of its session goes on, another begins, so that a copy of
/// before is not taken for it: each numbers what it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamId(u64);

/// A random number that makes a request recognisable when it is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct RequestId(pub(crate) u64);

impl SocketNumber {
    /// Lanes are few enough for this many bits of the number to name one.
    const LANES: u64 = 64;

    /// The number of the node's socket with this count, in this lane.
    pub(crate) fn new(count: u64, lane: usize) -> Self {
        Self(count * Self::LANES + lane as u64)
    }

    /// The lane that writes to the socket.
    pub(crate) fn lane(self) -> usize {
        (self.0 % Self::LANES) as usize
    }
}

impl StreamId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }
}

impl RequestId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }
}

/// What is asked of a session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum SessionRequest {
    /// Begin to be. Answered with [`SessionReply::Opened`] (whose frames answer the client's GET when it polls; a
    /// WebSocket gets them like everything later).
    Open {
        id: RequestId,
        service: ServiceIndex,
        transport: OpenTransport,
        handshake: Handshake,
    },
    /// The client posted this. Answered with [`SessionReply::Done`] once there is room for more.
    Push {
        id: RequestId,
        service: ServiceIndex,
        body: Bytes,
    },
    /// The client posted more than `maxPayload`: the session ends.
    PushTooLarge { service: ServiceIndex },
    /// The client polls. Answered with [`SessionReply::Pulled`] when there is something, or at once, if only with that there
    /// is nothing to say, unless it may hang.
    Pull {
        id: RequestId,
        service: ServiceIndex,
        may_hang: bool,
    },
    /// The client is sending something long, and gets on with it: its pong can only come behind that.
    Receiving,
    /// The client dropped the poll.
    CancelPull { id: RequestId },
    /// A WebSocket for an existing session wants to take over from polling.
    Attach {
        service: ServiceIndex,
        socket: SocketAddress,
    },
    /// These frames came on a socket, the first of them with this number, counted from 0. Answered with
    /// [`SessionReply::Done`] once there is room for more.
    SocketPush {
        socket: SocketAddress,
        first: u64,
        frames: Vec<SocketFrame>,
    },
    /// The session's owner is gone, or another than before; here is its socket. Answered with [`SessionReply::Reattached`]
    /// by whoever has the session now.
    Reattach {
        socket: SocketAddress,
        attachment: Attachment,
    },
    /// A client says that this socket is its own: may it have it? Answered with [`SessionReply::Claimable`].
    Claim { claim: Claim },
    /// The socket goes to the session that asks. Answered with [`SessionReply::Surrendered`].
    Surrender { claim: Claim },
    /// The socket is gone, or broke the rules of WebSocket.
    SocketClosed { socket: SocketAddress },
}

impl Weigh for SessionRequest {
    /// Only what clients can make large.
    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Open { handshake, .. } => handshake.weight(),
                Self::Push { body, .. } => body.len(),
                Self::SocketPush { frames, .. } => frames.iter().map(SocketFrame::weight).sum(),
                _ => 0,
            }
    }
}

/// A client's claim to its former socket in a namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) namespace: NamespaceName,
    pub(crate) recovery: RecoveryId,
    pub(crate) offset: Option<Offset>,
    /// What the offset stands for, once somebody has said so: the socket may move on to where nobody knows.
    pub(crate) marks: Option<Marks>,
}

/// What can be had of a claimed socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claimable {
    /// The topics that it hears.
    pub(crate) topics: Vec<Topic>,
    pub(crate) told: ClaimedPlace,
}

/// How far the client that claims a socket was told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ClaimedPlace {
    UpTo(Marks),
    /// A place in a log that the socket's node does not know: others may.
    Unknown(Position),
}

/// How a socket stands that looks for its session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// The stream that it was written.
    pub(crate) stream: StreamId,
    /// The number of the frame of it that it wants next, if it had any.
    pub(crate) next: Option<u64>,
    /// How far the client was served, if that is known exactly.
    pub(crate) served: Option<Served>,
    /// The stream to begin with that frame, if the session does not know the other.
    pub(crate) otherwise: StreamId,
}

/// How far a client was served by an owner that is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Served {
    pub(crate) marks: Marks,
    /// How many events its session had been told directly.
    pub(crate) directs: u64,
}

/// On which transport a session opens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum OpenTransport {
    Polling,
    WebSocket(SocketAddress),
}

impl OpenTransport {
    /// Its name.
    pub(crate) fn name(&self) -> TransportName {
        match self {
            Self::Polling => TransportName::Polling,
            Self::WebSocket(_) => TransportName::WebSocket,
        }
    }
}

/// A data frame as it came on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SocketFrame {
    Text(ByteString),
    Binary(Bytes),
}

impl SocketFrame {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::Binary(bytes) => bytes.len(),
            }
    }
}

/// What a session answers.
#[derive(Serialize, Deserialize)]
pub(crate) enum SessionReply {
    Opened(Vec<Frame>),
    Pulled(Vec<Frame>),
    Done,
    /// The socket is the session's, which goes on with this stream.
    Reattached(StreamId),
    /// None if the claimed socket cannot be had.
    Claimable(Option<Claimable>),
    /// The claimed socket; none if it cannot be had.
    Surrendered(Option<Box<Surrendered>>),
    /// As the Engine.IO specification wants it refused.
    Refused(Refusal),
}
