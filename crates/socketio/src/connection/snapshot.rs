//! A connection at rest, on its way to another node.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Connection;
use super::config::ConnectionConfig;
use super::queue::OutputQueue;
use super::state::State;

/// All that a connection needs to live elsewhere; points in time are kept as what is left until them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSnapshot {
    config: ConnectionConfig,
    state: State<Duration>,
}

impl Connection {
    /// Takes what is needed to go on elsewhere. Drain the outputs first: they are not part of it.
    ///
    /// A CONNECT that still waits for its answer is part of it. Its [`Output::ConnectRequested`](crate::Output::ConnectRequested)
    /// is not: whoever restores sees to the answer.
    pub fn snapshot(&self, now: Instant) -> ConnectionSnapshot {
        debug_assert!(
            self.outputs.is_empty(),
            "outputs must be drained before a snapshot, or they are lost"
        );
        ConnectionSnapshot {
            config: self.config,
            state: self.state.map(|until| Some(until.saturating_duration_since(now))),
        }
    }

    /// Goes on from a snapshot, as if nothing had happened but that time stood still on the way.
    pub fn restore(snapshot: ConnectionSnapshot, now: Instant) -> Connection {
        Connection {
            config: snapshot.config,
            state: snapshot.state.map(|remaining| now.checked_add(*remaining)),
            outputs: OutputQueue::default(),
        }
    }
}
