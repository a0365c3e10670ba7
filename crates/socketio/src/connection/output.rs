//! What a connection asks of its shell, and why things end.

use hither_engineio as engineio;
use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::decode::{DecodeError, UntakenReason};
use crate::encode::Encoded;
use crate::event::Event;
use crate::ids::{AckId, SocketId};
use crate::json::Json;
use crate::namespace::NamespaceName;

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The client wants to be connected to a namespace. Answer with [`accept`](crate::Connection::accept) or
    /// [`refuse`](crate::Connection::refuse), now or later; until then nothing it says there is heard.
    ConnectRequested {
        /// To which namespace; whether that exists is for the shell to know.
        namespace: NamespaceName,
        /// The client's auth payload: an object, if there is one.
        auth: Option<Json>,
    },
    /// The client asks once more for what it has: its CONNECT and the answer crossed, or the answer got lost to it. Answer
    /// with [`connected_again`](crate::Connection::connected_again); it is the same socket.
    ConnectRepeated {
        /// To which namespace.
        namespace: NamespaceName,
        /// The socket that it has there.
        socket: SocketId,
    },
    /// A socket received an event.
    Event {
        /// In which namespace.
        namespace: NamespaceName,
        /// Which socket.
        socket: SocketId,
        /// The event.
        event: Event,
        /// Where the client wants its answer, if it wants one: give it to [`ack`](crate::Connection::ack) once.
        ack: Option<AckId>,
    },
    /// A socket was sent an event that cannot be taken. Who waits for an answer to it has been told; this is for the log.
    EventUntaken {
        /// In which namespace.
        namespace: NamespaceName,
        /// Which socket.
        socket: SocketId,
        /// Why.
        error: UntakenReason,
    },
    /// The client answered an [`emit_with_ack`](crate::Connection::emit_with_ack).
    Acked {
        /// In which namespace.
        namespace: NamespaceName,
        /// Which socket.
        socket: SocketId,
        /// Which emit it answers.
        id: AckId,
        /// The answer.
        args: Args,
    },
    /// A socket is no more. Emits of it that wait for an ack will not get one.
    Disconnected {
        /// In which namespace.
        namespace: NamespaceName,
        /// Which socket.
        socket: SocketId,
        /// Why.
        reason: DisconnectReason,
    },
    /// Send this to the client.
    Send(Encoded),
    /// Close the Engine.IO session, for [`session_reason`](CloseReason::session_reason). This is the last output ever.
    Close(CloseReason),
}

/// Why a socket was disconnected. Displayed in the reference server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum DisconnectReason {
    /// The client left the namespace.
    #[error("client namespace disconnect")]
    Client,
    /// The server disconnected it from the namespace.
    #[error("server namespace disconnect")]
    Server,
    /// The session beneath it ended.
    #[error(transparent)]
    Session(engineio::CloseReason),
}

/// Why the connection wants its Engine.IO session closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The client sent what is no packet.
    #[error("malformed packet: {0}")]
    Malformed(#[from] DecodeError),
    /// The client sent a packet that has no place now.
    #[error(transparent)]
    OutOfTurn(#[from] OutOfTurn),
    /// No namespace accepted the client in time.
    #[error("connected to no namespace in time")]
    ConnectTimeout,
    /// An announced attachment did not come in time.
    #[error("an announced attachment did not come in time")]
    AttachmentTimeout,
}

impl CloseReason {
    /// What the Engine.IO session is to be closed for: the same as its sockets were disconnected for.
    pub fn session_reason(&self) -> engineio::CloseReason {
        match self {
            CloseReason::Malformed(_) => engineio::CloseReason::ParseError,
            CloseReason::OutOfTurn(_) | CloseReason::ConnectTimeout | CloseReason::AttachmentTimeout => {
                engineio::CloseReason::ForcedClose
            }
        }
    }
}

/// A packet that is well-formed but has no place in the state that its namespace is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfTurn {
    /// Anything but CONNECT for a namespace that the client is not connected to, or not yet.
    #[error("packet for {0}, to which the client is not connected")]
    NotConnected(NamespaceName),
    /// CONNECT_ERROR, which is for the server to say.
    #[error("CONNECT_ERROR from the client")]
    ConnectError,
}
