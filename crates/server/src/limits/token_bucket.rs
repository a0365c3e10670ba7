//! How often something may happen.

use std::time::{Duration, Instant};

use super::Rate;

/// A token bucket: full after a rest, and refilled at a constant rate.
///
/// It is kept as the moment at which it will be full again (the generic cell rate algorithm of ITU-T I.371), so that
/// nothing has to refill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenBucket {
    full_at: Instant,
}

impl TokenBucket {
    /// A full one.
    pub(crate) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes so many tokens.
    ///
    /// # Errors
    /// When there are fewer: how long until there are enough. Nothing is taken then. More than the burst never are.
    pub(crate) fn take(&mut self, rate: Rate, tokens: u32, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + time_for(rate, tokens);
        let over = full_at
            .duration_since(now)
            .saturating_sub(time_for(rate, rate.burst.get()));
        if over.is_zero() {
            self.full_at = full_at;
            Ok(())
        } else {
            Err(over)
        }
    }

    /// Gives back what was taken for nothing.
    pub(crate) fn give_back(&mut self, rate: Rate, tokens: u32, now: Instant) {
        let full_at = self.full_at.checked_sub(time_for(rate, tokens));
        self.full_at = full_at.unwrap_or(now).max(now);
    }

    /// Whether it is as good as new.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// How long it takes to refill so many.
fn time_for(rate: Rate, tokens: u32) -> Duration {
    Duration::from_nanos(u64::from(tokens) * 1_000_000_000 / u64::from(rate.per_second.get()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate::new(
            NonZeroU32::new(per_second).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        )
    }

    #[test]
    fn a_burst_then_the_rate() {
        let now = Instant::now();
        let rate = rate(10, 3);
        let mut bucket = TokenBucket::full(now);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, 1, now), Ok(()));
        }
        assert_eq!(bucket.take(rate, 1, now), Err(Duration::from_millis(100)));
        let later = now + Duration::from_millis(100);
        assert_eq!(bucket.take(rate, 1, later), Ok(()));
        assert!(bucket.take(rate, 1, later).is_err());
        assert!(!bucket.is_full(later));
        let rested = later + Duration::from_millis(300);
        assert!(bucket.is_full(rested));
        assert_eq!(bucket.take(rate, 3, rested), Ok(()));
    }

    #[test]
    fn after_the_told_time_there_are_enough() {
        let now = Instant::now();
        let rate = rate(7, 20);
        let mut bucket = TokenBucket::full(now);
        assert_eq!(bucket.take(rate, 20, now), Ok(()));
        let wait = bucket.take(rate, 5, now).unwrap_err();
        assert_eq!(bucket.take(rate, 5, now + wait), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken() {
        let now = Instant::now();
        let rate = rate(1, 1);
        let mut bucket = TokenBucket::full(now);
        assert_eq!(bucket.take(rate, 1, now), Ok(()));
        bucket.give_back(rate, 1, now);
        assert!(bucket.is_full(now));
        // Never more than full.
        bucket.give_back(rate, 1, now);
        assert_eq!(bucket.take(rate, 1, now), Ok(()));
        assert!(bucket.take(rate, 1, now).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            per_second in 1u32..1000,
            burst in 1u32..1000,
            pauses in prop::collection::vec((0u64..200, 1u32..50), 1..200),
        ) {
            let rate = rate(per_second, burst);
            let start = Instant::now();
            let (mut now, mut taken) = (start, 0u64);
            let mut bucket = TokenBucket::full(start);
            for (pause, tokens) in pauses {
                now += Duration::from_millis(pause);
                if bucket.take(rate, tokens, now).is_ok() {
                    taken += u64::from(tokens);
                }
                let passed = now.duration_since(start).as_secs_f64();
                // One more, for times are whole nanoseconds.
                prop_assert!(taken as f64 <= f64::from(burst) + passed * f64::from(per_second) + 1.0);
            }
        }
    }
}
