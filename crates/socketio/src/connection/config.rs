//! The settings of a connection.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decode::PacketLimits;

/// Settings of a [`Connection`](crate::Connection). They are part of it and move with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionConfig {
    /// How long a client may be connected to no namespace before it is closed: 45 s, as in the reference. The first namespace
    /// that accepts it ends the wait for good.
    pub connect_timeout: Duration,
    /// How long the next attachment of a packet may take: 60 s. That is more than a session lives without a heartbeat, so it
    /// closes none that is still sending, only those that would have us hold a half packet for ever.
    pub attachment_timeout: Duration,
    /// What one packet may take.
    pub packets: PacketLimits,
    /// Namespaces a client may be in or have asked for at a time: 100. One more is refused with a CONNECT_ERROR.
    pub max_namespaces: usize,
    /// Emits that may wait for their ack in one namespace: 10,000. One more is [`EmitError::TooManyAcks`](crate::EmitError).
    pub max_awaited_acks: usize,
    /// Bytes that may wait for a namespace's CONNECT to be answered: 1,000,000. More is [`EmitError::TooEarly`](crate::EmitError).
    pub max_early_bytes: usize,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        ConnectionConfig {
            connect_timeout: Duration::from_secs(45),
            attachment_timeout: Duration::from_secs(60),
            packets: PacketLimits::default(),
            max_namespaces: 100,
            max_awaited_acks: 10_000,
            max_early_bytes: 1_000_000,
        }
    }
}
