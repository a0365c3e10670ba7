//! The heartbeat: pings of the server, pongs of the client (specification: *Heartbeat*).

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::time;
use crate::SessionConfig;

/// A ping that goes out no later than this went out in time: whoever drives the session looks at the clock now and then.
const IN_TIME: Duration = Duration::from_millis(25);

/// `Time` is an [`Instant`] in a live session and what is left of it in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Heartbeat<Time> {
    /// The client is well; the next ping goes out at this time.
    PingDue(Time),
    /// A ping went out; a client silent until this time is gone.
    PongDue(Time),
}

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ping,
    PongOverdue,
}

impl Heartbeat<Instant> {
    pub(super) fn start(config: &SessionConfig, now: Instant) -> Self {
        Heartbeat::PingDue(time::after(now, config.ping_interval))
    }

    /// A pong that nobody asked for changes nothing, so a client cannot put off the next ping.
    pub(super) fn pong(&mut self, config: &SessionConfig, now: Instant) {
        if let Heartbeat::PongDue(_) = self {
            *self = Heartbeat::start(config, now);
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match *self {
            Heartbeat::PingDue(at) | Heartbeat::PongDue(at) => at,
        }
    }

    /// The pong's time counts from when the ping was due, or from when it really went if that was late.
    pub(super) fn tick(&mut self, config: &SessionConfig, now: Instant) -> Option<Beat> {
        if now < self.deadline() {
            return None;
        }
        match self {
            Heartbeat::PingDue(due) => {
                let is_late = now.duration_since(*due) > IN_TIME;
                let went = if is_late { now } else { *due };
                *self = Heartbeat::PongDue(time::after(went, config.ping_timeout));
                Some(Beat::Ping)
            }
            Heartbeat::PongDue(_) => Some(Beat::PongOverdue),
        }
    }
}

impl<Time> Heartbeat<Time> {
    pub(super) fn map<Other>(self, time: impl FnOnce(Time) -> Other) -> Heartbeat<Other> {
        match self {
            Heartbeat::PingDue(at) => Heartbeat::PingDue(time(at)),
            Heartbeat::PongDue(at) => Heartbeat::PongDue(time(at)),
        }
    }
}
