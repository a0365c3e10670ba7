//! A token bucket: so many at once, so many per second in the long run.

use std::time::{Duration, Instant};

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// `per_second` in the long run, `burst` at once. At least one of each.
    pub(crate) const fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: if per_second == 0 { 1 } else { per_second },
            burst: if burst == 0 { 1 } else { burst },
        }
    }

    /// Not less than another.
    pub(crate) fn at_least(self, other: Self) -> Self {
        Self {
            per_second: self.per_second.max(other.per_second),
            burst: self.burst.max(other.burst),
        }
    }
}

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

    /// Takes a token.
    ///
    /// # Errors
    /// When there is none: how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let token = Duration::from_secs(1) / self.rate.per_second;
        let full_at = self.full_at.max(now) + token;
        let latest = now + token * self.rate.burst;
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
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(500)));
        let later = start + Duration::from_millis(400);
        assert_eq!(bucket.take(later), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(start + Duration::from_millis(500)), Ok(()));
        assert!(bucket.is_full(start + Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_wait_is_right(
            per_second in 1..50_u32, burst in 1..20_u32, pauses in prop::collection::vec(0..400_u64, 1..200),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::full(Rate::new(per_second, burst), start);
            let (mut now, mut taken) = (start, 0_u32);
            for pause in pauses {
                now += Duration::from_millis(pause);
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        let mut later = bucket;
                        prop_assert!(later.take(now + wait).is_ok());
                    }
                }
                let allowed = f64::from(burst) + (now - start).as_secs_f64() * f64::from(per_second) + 1e-3;
                prop_assert!(f64::from(taken) <= allowed);
            }
        }
    }
}
