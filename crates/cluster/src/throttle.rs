//! Keeps a log from being filled by whoever provokes its lines.

use std::time::{Duration, Instant};

/// How often one kind of trouble is logged at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one log line pass in each interval and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Whether to log now, and if so how many lines were suppressed since the last.
    pub(crate) fn permit(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.suppressed))
    }
}
