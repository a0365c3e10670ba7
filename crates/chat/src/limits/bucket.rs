//! A token bucket: so many at once, so many in the long run.

use std::time::{Duration, Instant};

use hither_store::Rate;

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    /// When the bucket is, or was, full.
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Takes tokens, all or none; never more than a full bucket has.
    ///
    /// # Errors
    /// When there are not as many: how long until there are.
    pub(crate) fn take(&mut self, now: Instant, tokens: u32) -> Result<(), Duration> {
        let (token, burst) = (self.rate.token(), self.rate.burst());
        let full_at = self.full_at.max(now) + token * tokens.min(burst);
        let latest = now + token * burst;
        if full_at > latest {
            return Err(full_at - latest);
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_and_then_one_after_the_other() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Rate::new(2, 3), start);
        for _ in 0..3 {
            assert_eq!(bucket.take(start, 1), Ok(()));
        }
        assert_eq!(bucket.take(start, 1), Err(Duration::from_millis(500)));
        let later = start + Duration::from_millis(400);
        assert_eq!(bucket.take(later, 1), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(start + Duration::from_millis(500), 1), Ok(()));
        assert!(bucket.is_full(start + Duration::from_secs(60)));
    }

    #[test]
    fn many_at_once_are_all_or_none() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Rate::per_hour(3600), start);
        assert_eq!(bucket.take(start, 3000), Ok(()));
        assert_eq!(bucket.take(start, 1000), Err(Duration::from_secs(400)));
        assert_eq!(bucket.take(start, 600), Ok(()));
        // More than there ever are is what there is at most.
        assert_eq!(bucket.take(start + Duration::from_secs(3600), 5000), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_wait_is_right(
            per_second in 1..50_u32, burst in 1..20_u32,
            takes in prop::collection::vec((0..400_u64, 1..4_u32), 1..200),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::full(Rate::new(per_second, burst), start);
            let (mut now, mut taken) = (start, 0_u32);
            for (pause, tokens) in takes {
                now += Duration::from_millis(pause);
                let tokens = tokens.min(burst);
                match bucket.take(now, tokens) {
                    Ok(()) => taken += tokens,
                    Err(wait) => {
                        let mut later = bucket;
                        prop_assert!(later.take(now + wait, tokens).is_ok());
                    }
                }
                let allowed = f64::from(burst) + (now - start).as_secs_f64() * f64::from(per_second) + 1e-3;
                prop_assert!(f64::from(taken) <= allowed);
            }
        }
    }
}
