//! How fast a client may speak: token buckets for its packets and for their bytes.

use std::time::{Duration, Instant};

use crate::config::ClientLimits;

/// What a client may say at present.
///
/// What it says is taken as long as neither bucket is empty, and may leave it in debt: so a message larger than a bucket
/// passes, and what follows waits for longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    packets: f64,
    bytes: f64,
    /// When the buckets were filled last.
    filled: Instant,
}

impl Budget {
    /// Full buckets.
    pub(super) fn new(limits: &ClientLimits, now: Instant) -> Self {
        Self {
            packets: f64::from(limits.packet_burst),
            bytes: f64::from(limits.byte_burst),
            filled: now,
        }
    }

    /// Whether another packet may be taken; else when.
    pub(super) fn check(&mut self, limits: &ClientLimits, now: Instant) -> Result<(), Instant> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        let fill = |level: f64, rate: u32, burst: u32| (level + passed * f64::from(rate)).min(burst.into());
        self.packets = fill(self.packets, limits.packets_per_second, limits.packet_burst);
        self.bytes = fill(self.bytes, limits.bytes_per_second, limits.byte_burst);
        // A rate of 0 is taken for 1: nobody is silenced for good.
        let wait = |level: f64, rate: u32| (1.0 - level).max(0.0) / f64::from(rate.max(1));
        let wait =
            wait(self.packets, limits.packets_per_second).max(wait(self.bytes, limits.bytes_per_second));
        if wait > 0.0 {
            return Err(now + Duration::from_secs_f64(wait));
        }
        Ok(())
    }

    /// A packet was taken.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.packets -= 1.0;
        self.bytes -= bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ClientLimits = ClientLimits {
        packets_per_second: 10,
        packet_burst: 5,
        bytes_per_second: 1_000,
        byte_burst: 2_000,
        rooms: 1,
        namespaces: 1,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let begin = Instant::now();
        let mut budget = Budget::new(&LIMITS, begin);
        for _ in 0..5 {
            assert_eq!(budget.check(&LIMITS, begin), Ok(()));
            budget.spend(1);
        }
        let next = budget.check(&LIMITS, begin).unwrap_err();
        assert_eq!(next, begin + Duration::from_millis(100));
        assert_eq!(budget.check(&LIMITS, next), Ok(()));
        budget.spend(1);
        assert!(budget.check(&LIMITS, next).is_err());
        let much_later = next + Duration::from_secs(3600);
        let burst = (0..100).take_while(|_| {
            let is_allowed = budget.check(&LIMITS, much_later).is_ok();
            budget.spend(1);
            is_allowed
        });
        assert_eq!(burst.count(), 5, "what is not used does not add up");
    }

    #[test]
    fn a_message_larger_than_the_bucket_passes_and_is_paid_off() {
        let begin = Instant::now();
        let mut budget = Budget::new(&LIMITS, begin);
        assert_eq!(budget.check(&LIMITS, begin), Ok(()));
        budget.spend(12_000);
        let next = budget.check(&LIMITS, begin).unwrap_err();
        assert_eq!(next.duration_since(begin).as_secs(), 10);
        assert_eq!(budget.check(&LIMITS, next + Duration::from_millis(1)), Ok(()));
    }
}
