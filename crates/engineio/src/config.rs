//! The settings of a session.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of a session. They are part of it and move with it; most are told to the client in the
/// [`Handshake`](crate::Handshake).
///
/// The defaults are those of the reference server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionConfig {
    /// From opening, or from a pong, to the next ping. A client gives up when no ping comes for this and
    /// [`ping_timeout`](Self::ping_timeout) together.
    pub ping_interval: Duration,
    /// How long a pong may take. Shorter finds dead clients sooner and loses those in background tabs, whose
    /// timers are slowed.
    pub ping_timeout: Duration,
    /// From the arrival of a probing WebSocket to the end of the upgrade. Meanwhile polls are answered at
    /// once, so longer costs more requests when a proxy swallows WebSocket frames.
    pub upgrade_timeout: Duration,
    /// Bytes that one POST body or one WebSocket frame may have. Whoever reads the body or the frame enforces
    /// it.
    pub max_payload: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
        }
    }
}
