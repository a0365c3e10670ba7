//! When a client sends its next message.

use std::time::{Duration, Instant};

/// How fast all clients of a run together send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Each client has this many messages under way, and sends the next one when an ack comes.
    Acks {
        /// Messages of one client under way.
        window: usize,
    },
    /// A fixed number per second, whatever the answers do.
    Rate {
        /// Messages per second of all clients together.
        per_second: f64,
    },
}

/// The pace of one client.
#[derive(Clone, Debug)]
pub(crate) struct Pacer(Own);

#[derive(Clone, Debug)]
enum Own {
    Acks { window: usize },
    Rate { interval: Duration, next: Instant },
}

/// What a client has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Send a message that was due at this time; latency counts from it, so that a late generator or a stalled server shows.
    Send(Instant),
    /// Wait until then.
    Until(Instant),
    /// Wait for an answer.
    Answer,
}

impl Pacer {
    /// The pace of client `index` of `clients`; fixed rates are spread evenly over them.
    pub(crate) fn new(pace: Pace, index: usize, clients: usize, begin: Instant) -> Self {
        Self(match pace {
            Pace::Acks { window } => Own::Acks { window },
            Pace::Rate { per_second } => {
                let interval = Duration::from_secs_f64(clients as f64 / per_second);
                Own::Rate {
                    interval,
                    next: begin + interval.mul_f64(index as f64 / clients as f64),
                }
            }
        })
    }

    /// What to do at `now` with `outstanding` messages under way. What it says to send counts as sent.
    pub(crate) fn turn(&mut self, now: Instant, outstanding: usize) -> Turn {
        match &mut self.0 {
            Own::Acks { window } if outstanding < *window => Turn::Send(now),
            Own::Acks { .. } => Turn::Answer,
            Own::Rate { next, .. } if *next > now => Turn::Until(*next),
            Own::Rate { interval, next } => {
                let due = *next;
                *next += *interval;
                Turn::Send(due)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_window_is_filled_and_then_waits_for_answers() {
        let now = Instant::now();
        let mut pacer = Pacer::new(Pace::Acks { window: 2 }, 0, 1, now);
        assert_eq!(pacer.turn(now, 1), Turn::Send(now));
        assert_eq!(pacer.turn(now, 2), Turn::Answer);
    }

    #[test]
    fn a_rate_is_spread_over_clients_and_catches_up() {
        let begin = Instant::now();
        let mut pacer = Pacer::new(Pace::Rate { per_second: 2.0 }, 1, 4, begin);
        let due = begin + SECOND / 2;
        assert_eq!(pacer.turn(begin, 0), Turn::Until(due));
        let late = begin + 3 * SECOND;
        assert_eq!(pacer.turn(late, 0), Turn::Send(due));
        assert_eq!(pacer.turn(late, 1), Turn::Send(due + 2 * SECOND));
        assert_eq!(pacer.turn(late, 2), Turn::Until(due + 4 * SECOND));
    }
}
