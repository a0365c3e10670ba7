//! Versions of what nodes say to each other.
//!
//! A build speaks a range of them. Two nodes use the newest that both speak, so that a cluster can change from one build to
//! the next node by node: the newer build speaks the version of the older one, too. Without a common version they refuse
//! each other, and each says which versions both speak.

use std::{fmt, str::FromStr};

/// The version of everything that crosses a link or a gossip datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WireVersion(u16);

impl WireVersion {
    /// Links are encrypted from their first message on.
    pub(crate) const V3: Self = Self(3);
}

/// A range of versions, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireVersions {
    oldest: WireVersion,
    newest: WireVersion,
}

/// Text or bytes that are no range of versions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of wire versions: two numbers from 0 to 65535 are, the older first")]
pub struct InvalidVersions;

impl WireVersions {
    /// What this build speaks.
    pub const THIS_BUILD: Self = Self {
        oldest: WireVersion::V3,
        newest: WireVersion::V3,
    };

    /// The number of bytes of [`encode`](Self::encode).
    pub(crate) const LENGTH: usize = 4;

    /// A range from the oldest to the newest version.
    ///
    /// # Errors
    /// When the oldest is newer than the newest.
    pub fn new(oldest: u16, newest: u16) -> Result<Self, InvalidVersions> {
        let [oldest, newest] = [oldest, newest].map(WireVersion);
        (oldest <= newest)
            .then_some(Self { oldest, newest })
            .ok_or(InvalidVersions)
    }

    /// The newest version that both speak.
    pub(crate) fn common(self, other: Self) -> Option<WireVersion> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest && newest >= other.oldest).then_some(newest)
    }

    /// Two numbers, big endian.
    pub(crate) fn encode(self) -> [u8; Self::LENGTH] {
        let [[a, b], [c, d]] = [self.oldest, self.newest].map(|version| version.0.to_be_bytes());
        [a, b, c, d]
    }

    pub(crate) fn decode([a, b, c, d]: [u8; Self::LENGTH]) -> Result<Self, InvalidVersions> {
        Self::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for WireVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.oldest.0, self.newest.0)
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
            (range(3, 3), range(3, 3), Some(3)),
            (range(3, 3), range(3, 4), Some(3)),
            (range(3, 5), range(2, 4), Some(4)),
            (range(3, 3), range(4, 5), None),
            (range(0, 2), range(3, 3), None),
        ] {
            assert_eq!(one.common(other), common.map(WireVersion), "{one} and {other}");
            assert_eq!(other.common(one), common.map(WireVersion), "{other} and {one}");
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
