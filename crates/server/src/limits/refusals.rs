//! Counts refusals, and keeps the log from being filled by them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::sessions::Counter;

/// How often one kind of refusal is logged at most.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Refusals of one kind.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: Counter,
    logged: Mutex<Option<Instant>>,
}

impl Refusals {
    /// Counts one, and says how many there were so far if it is time to log that.
    pub(super) fn note(&self) -> Option<u64> {
        self.count.up();
        // The time is right at every moment, whoever panicked.
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if logged.is_some_and(|last| now.duration_since(last) < LOG_INTERVAL) {
            return None;
        }
        *logged = Some(now);
        Some(self.count.get())
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_few_are_logged() {
        let refusals = Refusals::default();
        assert_eq!(refusals.note(), Some(1));
        for _ in 0..1000 {
            assert_eq!(refusals.note(), None);
        }
        assert_eq!(refusals.count(), 1001);
    }
}
