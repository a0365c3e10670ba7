//! How fast a client may speak: token buckets for its packets and for their bytes.

use std::time::{Duration, Instant};

use crate::config::ClientLimits;

/// What a client that spoke too fast waits for, in seconds of its rates. Each time it goes on costs a turn of its lane, a
/// change for its standby and a message of a link, however few packets are taken then; and nobody notices so short a wait.
const REFILL: f64 = 0.05;

/// What a client may say at present.
///
/// What it says is taken as long as neither bucket is empty, and may leave it in debt: so a message larger than a bucket
/// passes, and what follows waits for longer. Once a bucket is empty nothing is taken before [a good part](REFILL) is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    packets: f64,
    bytes: f64,
    /// When the buckets were filled last.
    filled: Instant,
    /// One of them was found empty, and there is not enough in them again.
    is_refilling: bool,
}

/// What a bucket holds.
#[derive(Clone, Copy)]
struct Measure {
    per_second: f64,
    burst: f64,
}

impl Measure {
    /// A rate or burst of 0 is taken for 1: nobody is silenced for good.
    fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.max(1).into(),
            burst: burst.max(1).into(),
        }
    }

    fn fill(self, level: f64, passed: Duration) -> f64 {
        (level + passed.as_secs_f64() * self.per_second).min(self.burst)
    }

    /// What must be there: a token, or as many as make it worth going on.
    fn needed(self, is_refilling: bool) -> f64 {
        if is_refilling {
            (self.per_second * REFILL).min(self.burst / 2.0).max(1.0)
        } else {
            1.0
        }
    }

    /// In how many seconds so much is there.
    fn wait(self, level: f64, needed: f64) -> f64 {
        (needed - level).max(0.0) / self.per_second
    }
}

impl Budget {
    /// Full buckets.
    pub(super) fn new(limits: &ClientLimits, now: Instant) -> Self {
        let (packets, bytes) = measures(limits);
        Self {
            packets: packets.burst,
            bytes: bytes.burst,
            filled: now,
            is_refilling: false,
        }
    }

    /// Whether another packet may be taken; else when.
    pub(super) fn check(&mut self, limits: &ClientLimits, now: Instant) -> Result<(), Instant> {
        let (packets, bytes) = measures(limits);
        let passed = now.saturating_duration_since(self.filled);
        self.filled = self.filled.max(now);
        self.packets = packets.fill(self.packets, passed);
        self.bytes = bytes.fill(self.bytes, passed);
        let wait = |is_refilling| {
            let packets = packets.wait(self.packets, packets.needed(is_refilling));
            packets.max(bytes.wait(self.bytes, bytes.needed(is_refilling)))
        };
        self.is_refilling = wait(self.is_refilling) > 0.0;
        if self.is_refilling {
            // A nanosecond more than rounded: then it is there.
            return Err(now + Duration::from_secs_f64(wait(true)) + Duration::from_nanos(1));
        }
        Ok(())
    }

    /// A packet was taken.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.packets -= 1.0;
        self.bytes -= bytes as f64;
    }
}

/// Of packets and of bytes.
fn measures(limits: &ClientLimits) -> (Measure, Measure) {
    (
        Measure::new(limits.packets_per_second, limits.packet_burst),
        Measure::new(limits.bytes_per_second, limits.byte_burst),
    )
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
        assert_eq!(next.duration_since(begin).as_millis(), 100);
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

    /// Much is sent at once, and taken as soon as it may be: how much is taken at a time after the first time.
    fn taken_at_a_time(limits: &ClientLimits, bytes: usize) -> Vec<(u32, Duration)> {
        let mut now = Instant::now();
        let mut budget = Budget::new(limits, now);
        let mut turns = Vec::new();
        for _ in 0..20 {
            let mut taken = 0;
            let next = loop {
                match budget.check(limits, now) {
                    Ok(()) => budget.spend(bytes),
                    Err(next) => break next,
                }
                taken += 1;
            };
            turns.push((taken, next - now));
            now = next;
        }
        turns.remove(0);
        turns
    }

    #[test]
    fn what_is_sent_too_fast_is_taken_in_good_parts() {
        let limits = ClientLimits {
            packets_per_second: 10_000,
            packet_burst: 20_000,
            bytes_per_second: 1 << 20,
            byte_burst: 1 << 20,
            ..LIMITS
        };
        for (taken, wait) in taken_at_a_time(&limits, 1) {
            assert!((499..=501).contains(&taken), "{taken} packets");
            assert!((49..=51).contains(&wait.as_millis()), "{wait:?}");
        }
        // By bytes: 52 of the 1,049 for which there is room each second.
        for (taken, wait) in taken_at_a_time(&limits, 1_000) {
            assert!((52..=53).contains(&taken), "{taken} packets");
            assert!((49..=51).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[test]
    fn who_may_say_little_waits_for_no_more_than_what_it_may_say_at_once() {
        for (taken, wait) in taken_at_a_time(&LIMITS, 1) {
            assert_eq!((taken, wait.as_millis()), (1, 100));
        }
        let limits = ClientLimits {
            packets_per_second: 1_000,
            packet_burst: 8,
            ..LIMITS
        };
        for (taken, wait) in taken_at_a_time(&limits, 0) {
            assert_eq!((taken, wait.as_millis()), (4, 4));
        }
    }

    #[test]
    fn who_keeps_to_its_rate_never_waits() {
        let mut now = Instant::now();
        let mut budget = Budget::new(&LIMITS, now);
        for _ in 0..4 {
            assert_eq!(budget.check(&LIMITS, now), Ok(()));
            budget.spend(1);
        }
        // A token is left, and each time that it speaks another one is there.
        for _ in 0..1_000 {
            assert_eq!(budget.check(&LIMITS, now), Ok(()));
            budget.spend(1);
            now += Duration::from_micros(100_001);
        }
    }

    #[test]
    fn nobody_is_silenced_for_good() {
        let limits = ClientLimits {
            packets_per_second: 0,
            packet_burst: 0,
            bytes_per_second: 0,
            byte_burst: 0,
            ..LIMITS
        };
        for (taken, wait) in taken_at_a_time(&limits, 1) {
            assert_eq!((taken, wait.as_secs()), (1, 1));
        }
    }
}
