//! Warnings that anybody can cause, at a bounded rate.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// From one warning to the next.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one of a kind of warnings through per interval of 10 s, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct WarningThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl WarningThrottle {
    /// Whether to warn now: if so, how many warnings were left out since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < INTERVAL)
        {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_passes_per_interval_and_tells_of_the_others() {
        let (throttle, begin) = (WarningThrottle::default(), Instant::now());
        assert_eq!(throttle.admit(begin), Some(0));
        for _ in 0..3000 {
            assert_eq!(throttle.admit(begin + INTERVAL / 2), None);
        }
        assert_eq!(throttle.admit(begin + INTERVAL), Some(3000));
        assert_eq!(throttle.admit(begin + INTERVAL * 2), Some(0));
    }
}
