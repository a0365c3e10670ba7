//! All states a session can be in.

use serde::{Deserialize, Serialize};

use super::CloseReason;
use super::heartbeat::Heartbeat;
use super::transport::{Poll, Transport};

/// `Time` is an `Instant` in a live session and what is left of it in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State<Time> {
    Open(Open<Time>),
    Closed(CloseReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open<Time> {
    pub(super) transport: Transport<Time>,
    pub(super) heartbeat: Heartbeat<Time>,
    pub(super) closing: Option<Closing<Time>>,
}

/// An orderly close that waits for a poll or a WebSocket to take what is buffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closing<Time> {
    pub(super) reason: CloseReason,
    pub(super) gives_up_at: Time,
}

impl<Time> Open<Time> {
    /// Whether there is something that carries the buffer to the client right now.
    pub(super) fn can_flush(&self) -> bool {
        self.transport.poll() != Some(Poll::Idle)
    }
}

impl<Time> State<Time> {
    pub(super) fn map<Other>(self, mut time: impl FnMut(Time) -> Other) -> State<Other> {
        match self {
            State::Open(Open {
                transport,
                heartbeat,
                closing,
            }) => State::Open(Open {
                transport: transport.map(&mut time),
                heartbeat: heartbeat.map(&mut time),
                closing: closing.map(|Closing { reason, gives_up_at }| Closing {
                    reason,
                    gives_up_at: time(gives_up_at),
                }),
            }),
            State::Closed(reason) => State::Closed(reason),
        }
    }
}
