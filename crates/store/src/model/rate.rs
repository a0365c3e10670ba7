//! How often something may happen.

use std::time::Duration;

/// How often something may happen: so often in the long run, and so often at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    token: Duration,
    burst: u32,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Rate {
    /// `per_second` in the long run, `burst` at once. At least one of each.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self::of(Duration::from_secs(1), per_second, burst)
    }

    /// So many an hour, and as many at once.
    pub const fn per_hour(tokens: u32) -> Self {
        Self::of(HOUR, tokens, tokens)
    }

    const fn of(time: Duration, tokens: u32, burst: u32) -> Self {
        let tokens = if tokens == 0 { 1 } else { tokens };
        // Microseconds, as the store counts; those of an hour fit.
        let token = (time.as_micros() as u64).div_ceil(tokens as u64);
        Self {
            token: Duration::from_micros(token),
            burst: if burst == 0 { 1 } else { burst },
        }
    }

    /// How long it takes until it may happen once more.
    pub const fn token(self) -> Duration {
        self.token
    }

    /// How often it may happen at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Not less than another.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self {
            token: self.token.min(other.token),
            burst: self.burst.max(other.burst),
        }
    }

    /// A token in microseconds.
    pub(crate) fn micros(self) -> i64 {
        i64::try_from(self.token.as_micros()).unwrap_or(i64::MAX)
    }

    /// How far from now a bucket may be from being full, in microseconds.
    pub(crate) fn depth(self) -> i64 {
        self.micros().saturating_mul(i64::from(self.burst))
    }
}

/// How much may be said, on all nodes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// By one person, in all rooms.
    pub person: Rate,
    /// In one room, by all people and webhooks.
    pub room: Rate,
}
