//! Latencies, every one of them kept, so that percentiles are exact.

use std::time::Duration;

/// Latencies of one kind of operation, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

/// Percentiles in milliseconds; 0 when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub(crate) struct Percentiles {
    /// Half of all took no longer.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
}

impl Latencies {
    /// One more, of 71 minutes at most.
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The percentiles, by nearest rank.
    pub(crate) fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0.get(rank).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        Percentiles {
            p50: at(50),
            p90: at(90),
            p99: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut latencies = Latencies::default();
        for millis in (1..=100).rev() {
            latencies.push(Duration::from_millis(millis));
        }
        let expected = Percentiles {
            p50: 50.0,
            p90: 90.0,
            p99: 99.0,
        };
        assert_eq!(latencies.percentiles(), expected);
    }

    #[test]
    fn nothing_measured_has_percentiles_of_zero() {
        assert_eq!(Latencies::default().percentiles(), Percentiles::default());
    }
}
