//! A session at rest, on its way to another node.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::state::State;
use super::{Session, time};
use crate::SessionConfig;

/// All that a session needs to live elsewhere; points in time are kept as what is left until them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSnapshot {
    config: SessionConfig,
    state: State<Duration>,
}

impl SessionSnapshot {
    /// The same at any time, to compare it with others.
    pub fn without_times(&self) -> SessionSnapshot {
        SessionSnapshot {
            config: self.config,
            state: self.state.map(|_| Duration::ZERO),
        }
    }

    /// Whether the session was over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }
}

impl Session {
    /// Takes what is needed to go on elsewhere. Drain the outputs first: they are not part of it.
    ///
    /// A hanging poll is not part of it either, since it hangs at some node and not in the session: whoever
    /// restores calls [`poll_started`](Session::poll_started) for a poll that came along. A probing WebSocket
    /// is: for one that did not come along, whoever restores calls
    /// [`websocket_closed`](Session::websocket_closed).
    pub fn snapshot(&self, now: Instant) -> SessionSnapshot {
        debug_assert!(
            self.outputs.is_empty(),
            "outputs must be drained before a snapshot, or they are lost"
        );
        SessionSnapshot {
            config: self.config,
            state: self.state.map(|until| time::remaining(until, now)),
        }
    }

    /// Goes on from a snapshot, as if nothing had happened but that time stood still on the way.
    pub fn restore(snapshot: SessionSnapshot, now: Instant) -> Session {
        let state = snapshot.state.map(|remaining| time::after(now, remaining));
        Session {
            config: snapshot.config,
            state,
            outputs: Default::default(),
        }
    }
}
