//! Arithmetic on instants that cannot overflow.

use std::time::{Duration, Instant};

/// No wait is longer, whatever is configured or was in a snapshot: `Instant` overflows, with a panic, only
/// far beyond.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(LONGEST_WAIT)
}

pub(super) fn remaining(until: Instant, now: Instant) -> Duration {
    until.saturating_duration_since(now)
}
