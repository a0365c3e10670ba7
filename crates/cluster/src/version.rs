//! Versions of what nodes say to each other.
//!
//! A build speaks a range of them. Two nodes use the newest that both speak, so that a cluster can change from one build to
//! the next node by node: the newer build speaks the version of the older one, too. Without a common version they refuse
//! each other, and each says which versions both speak.
//!
//! How a value looks in each version stands in [`wire`](crate::wire).

use std::{fmt, str::FromStr};

/// A version of everything that crosses a link or a gossip datagram, as far as this build can speak it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WireVersion {
    /// Links are encrypted from their first message on.
    V3,
    /// The next version, for tests alone.
    #[cfg(test)]
    V4,
}

/// A range of versions, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireVersions {
    oldest: u16,
    newest: u16,
}

/// Text or bytes that are no range of versions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of wire versions: two numbers from 0 to 65535 are, the older first")]
pub struct InvalidVersions;

impl WireVersion {
    const fn number(self) -> u16 {
        match self {
            Self::V3 => 3,
            #[cfg(test)]
            Self::V4 => 4,
        }
    }

    const fn of(number: u16) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            #[cfg(test)]
            4 => Some(Self::V4),
            _ => None,
        }
    }
}

impl WireVersions {
    /// What this build speaks.
    pub const THIS_BUILD: Self = Self {
        oldest: OLDEST.number(),
        newest: WireVersion::V3.number(),
    };

    /// The number of bytes of [`encode`](Self::encode).
    pub(crate) const LENGTH: usize = 4;

    /// A range from the oldest to the newest version.
    ///
    /// # Errors
    /// When the oldest is newer than the newest.
    pub fn new(oldest: u16, newest: u16) -> Result<Self, InvalidVersions> {
        (oldest <= newest)
            .then_some(Self { oldest, newest })
            .ok_or(InvalidVersions)
    }

    /// The newest version that both speak, this build and who speaks `other`.
    pub(crate) fn common(self, other: Self) -> Option<WireVersion> {
        let newest = self.newest.min(other.newest);
        let is_common = newest >= self.oldest && newest >= other.oldest;
        is_common.then(|| WireVersion::of(newest)).flatten()
    }

    /// Two numbers, big endian.
    pub(crate) fn encode(self) -> [u8; Self::LENGTH] {
        let [[a, b], [c, d]] = [self.oldest, self.newest].map(u16::to_be_bytes);
        [a, b, c, d]
    }

    pub(crate) fn decode([a, b, c, d]: [u8; Self::LENGTH]) -> Result<Self, InvalidVersions> {
        Self::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }
}

/// The version of what is said before it is known what the other end speaks, or that is kept and told to many: the oldest that
/// this build speaks. So all understand it who have a version in common with a build that has the next version, too; what is
/// newer is said so from the next build on.
pub(crate) const OLDEST: WireVersion = WireVersion::V3;

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl fmt::Display for WireVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.oldest, self.newest)
    }
}

impl FromStr for WireVersions {
    type Err = InvalidVersions;

    fn from_str(text: &str) -> Result<Self, InvalidVersions> {
        let (oldest, newest) = text.split_once('-').ok_or(InvalidVersions)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidVersions);
        Self::new(number(oldest)?, number(newest)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(oldest: u16, newest: u16) -> WireVersions {
        WireVersions::new(oldest, newest).unwrap()
    }

    #[test]
    fn the_newest_that_both_speak_is_used() {
        for (one, other, common) in [
            (range(3, 3), range(3, 3), Some(WireVersion::V3)),
            (range(3, 3), range(3, 4), Some(WireVersion::V3)),
            (range(3, 5), range(2, 4), Some(WireVersion::V4)),
            (range(3, 3), range(4, 5), None),
            (range(0, 2), range(3, 3), None),
        ] {
            assert_eq!(one.common(other), common, "{one} and {other}");
            assert_eq!(other.common(one), common, "{other} and {one}");
        }
    }

    #[test]
    fn this_build_speaks_what_it_can() {
        let WireVersions { oldest, newest } = WireVersions::THIS_BUILD;
        assert!((oldest..=newest).all(|number| WireVersion::of(number).is_some()));
        for version in [WireVersion::V3, WireVersion::V4] {
            assert_eq!(WireVersion::of(version.number()), Some(version));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let versions = range(3, 0x0102);
        assert_eq!(WireVersions::decode(versions.encode()), Ok(versions));
        assert_eq!(versions.to_string().parse(), Ok(versions));
        assert_eq!(versions.encode(), [0, 3, 1, 2]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "3", "4-3", "-", "3-x", "3-65536"] {
            assert_eq!(text.parse::<WireVersions>(), Err(InvalidVersions), "{text}");
        }
        assert_eq!(WireVersions::decode([0, 4, 0, 3]), Err(InvalidVersions));
    }
}
