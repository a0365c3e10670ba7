//! Identities: of sockets, of acks, and what recovers a connection.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The id of a socket: one client's connection to one namespace. The client knows it as `socket.id`.
///
/// It is public (other clients may learn it), so it is never the Engine.IO session id, which is a secret. Who accepts a
/// connection mints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketId(Arc<str>);

impl SocketId {
    /// Any text; unique in the cluster if it is to serve as a socket's own room.
    pub fn new(id: impl Into<Arc<str>>) -> SocketId {
        SocketId(id.into())
    }

    /// The id as the client sees it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The `pid` of connection state recovery: the secret with which a client that reconnects claims its former socket.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecoveryId(pub(crate) Arc<str>);

impl RecoveryId {
    /// Any unguessable text.
    pub fn new(id: impl Into<Arc<str>>) -> RecoveryId {
        RecoveryId(id.into())
    }

    /// The secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows no secret.
impl fmt::Debug for RecoveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryId(…)")
    }
}

/// Ties an ack to the event it answers. Counted by the side that emitted the event, so the client's and ours may coincide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AckId(u128);

impl AckId {
    /// The id with this number.
    pub const fn new(number: u64) -> AckId {
        AckId(number as u128)
    }

    /// The id that a client wrote in these decimal digits, which may be many: some count in nanoseconds. Beyond 38 digits all
    /// are the same, which answers nobody, as with the reference, which answers with another number.
    pub(crate) fn of_digits(digits: &str) -> AckId {
        AckId(digits.parse().unwrap_or(u128::MAX))
    }

    /// Its number on the wire.
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
