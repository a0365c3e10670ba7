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
    /// A ping went out.
    PongDue {
        /// A client that has not answered by then is gone.
        until: Time,
        /// Whether something else than its pong has been heard since the ping.
        is_heard: bool,
    },
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
        if let Heartbeat::PongDue { .. } = self {
            *self = Heartbeat::start(config, now);
        }
    }

    /// A packet that is no pong. While a pong is awaited it is a sign of life, for the pong may be queued behind it; but once
    /// for each ping, or a client that never answers would live for as long as it talks.
    pub(super) fn heard(&mut self, config: &SessionConfig, now: Instant) {
        if let Heartbeat::PongDue { is_heard: false, .. } = self {
            *self = Heartbeat::PongDue {
                until: time::after(now, config.ping_timeout),
                is_heard: true,
            };
        }
    }

    /// More of what the client is sending has come, and its pong can only follow behind that.
    pub(super) fn receiving(&mut self, config: &SessionConfig, now: Instant) {
        if let Heartbeat::PongDue { until, .. } = self {
            *until = (*until).max(time::after(now, config.ping_timeout));
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match *self {
            Heartbeat::PingDue(at) | Heartbeat::PongDue { until: at, .. } => at,
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
                *self = Heartbeat::PongDue {
                    until: time::after(went, config.ping_timeout),
                    is_heard: false,
                };
                Some(Beat::Ping)
            }
            Heartbeat::PongDue { .. } => Some(Beat::PongOverdue),
        }
    }
}

impl<Time> Heartbeat<Time> {
    pub(super) fn map<Other>(self, time: impl FnOnce(Time) -> Other) -> Heartbeat<Other> {
        match self {
            Heartbeat::PingDue(at) => Heartbeat::PingDue(time(at)),
            Heartbeat::PongDue { until, is_heard } => Heartbeat::PongDue {
                until: time(until),
                is_heard,
            },
        }
    }
}
