//! What a session asks of its shell.

use serde::{Deserialize, Serialize};

use crate::{Frame, Message};

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand this to the layer above.
    Message(Message),
    /// Put [`Frame::ping`] into the outgoing buffer; it goes with whatever transport carries that.
    Ping,
    /// Send [`Frame::pong_probe`] on the probing socket at once: the buffer does not flow there yet.
    ProbeAccepted,
    /// Answer the hanging poll now and say so with [`Session::poll_answered`](crate::Session::poll_answered).
    ///
    /// Before [`Output::Upgraded`] the answer is what is buffered or, if that is nothing, [`Frame::noop`].
    /// After it, it is a noop in any case: the buffer is the WebSocket's. The noop is for this answer alone
    /// and never enters the buffer.
    ReleasePoll,
    /// From now on the buffer flows to the socket that was probing.
    Upgraded,
    /// Close the probing socket and drop what it may still say. The session goes on polling, unless
    /// [`Output::Closed`] follows.
    ProbeFailed,
    /// The session is over, and this is the last output ever.
    ///
    /// A hanging poll is answered with what is buffered and then [`CloseReason::farewell`]; a WebSocket is
    /// sent what is buffered, and closed.
    Closed(CloseReason),
}

/// Why a session ended. Displayed in the reference server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum CloseReason {
    /// The client closed the session, or its WebSocket is gone.
    #[error("transport close")]
    TransportClose,
    /// The client broke the rules of its transport: polls that overlap or are cancelled, a packet out of
    /// place.
    #[error("transport error")]
    TransportError,
    /// A ping was not answered in time.
    #[error("ping timeout")]
    PingTimeout,
    /// The client sent what is no packet.
    #[error("parse error")]
    ParseError,
    /// The application, or the layer above, wants it so.
    #[error("forced close")]
    ForcedClose,
    /// The client does not take in what it is sent as fast as that gathers. (Not in the reference server,
    /// whose buffers have no bound.)
    #[error("buffer overflow")]
    Overflow,
    /// The node stops and could not hand the session to another.
    #[error("server shutting down")]
    ShuttingDown,
}

impl CloseReason {
    /// What a poll that hangs at the end is told: a client that closed by itself gets a noop, any other the
    /// close packet.
    pub const fn farewell(self) -> Frame {
        match self {
            CloseReason::TransportClose => Frame::noop(),
            _ => Frame::close(),
        }
    }
}
