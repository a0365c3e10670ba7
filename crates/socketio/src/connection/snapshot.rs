//! A connection at rest, on its way to another node.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::config::ConnectionConfig;
use super::queue::OutputQueue;
use super::state::State;
use super::{Connection, Output};

/// All that a connection needs to live elsewhere; points in time are kept as what is left until them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSnapshot {
    config: ConnectionConfig,
    pub(super) state: State<Duration>,
}

impl Connection {
    /// Takes what is needed to go on elsewhere. Drain the outputs first: they are not part of it.
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
    ///
    /// A CONNECT that was not answered is put to the application once more: there is an output
    /// [`ConnectRequested`](Output::ConnectRequested) for it. What was emitted before that answer is dropped, for a handler that
    /// begins anew emits it anew.
    pub fn restore(snapshot: ConnectionSnapshot, now: Instant) -> Connection {
        let mut state = snapshot.state.map(|remaining| now.checked_add(*remaining));
        let mut outputs = OutputQueue::default();
        if let State::Open(open) = &mut state {
            for (namespace, auth) in open.namespaces.ask_again() {
                outputs.push(Output::ConnectRequested { namespace, auth });
            }
        }
        Connection {
            config: snapshot.config,
            state,
            outputs,
        }
    }
}
