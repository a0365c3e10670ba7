//! Versions of what nodes say to each other.
//!
//! A build speaks a range of them. On a link two nodes use the newest that both speak. What is kept and told to many, or said
//! before it is known who hears it, is a *broadcast*: it is written in one version of that range, which a greeting names, too.
//! Two nodes fit if each speaks what the other broadcasts. Those that do not refuse each other, and each says what both speak.
//!
//! So that a cluster can change node by node, a version comes in three releases. The first speaks it beside the older one and
//! broadcasts the older one, the second broadcasts the new one, and the third no longer speaks the older one. Each fits the one
//! before it, and the one after it.
//!
//! How a value looks in each version stands in [`wire`](crate::wire).

use std::{fmt, str::FromStr};

/// A version of everything that crosses a link or a gossip datagram, as far as this build can speak it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WireVersion {
    /// Links are encrypted from their first message on.
    V3,
    /// The next version, for tests alone.
    #[cfg(any(test, feature = "next-wire"))]
    V4,
}

/// What a build speaks: a range of versions, and which of them it broadcasts. Written `3-4:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireVersions {
    oldest: u16,
    newest: u16,
    broadcast: u16,
}

/// Text or bytes that do not say what a build speaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a range of wire versions, and one of them that is broadcast: three numbers from 0 to 65535 are, such as 3-4:3"
)]
pub struct InvalidVersions;

impl WireVersion {
    const fn number(self) -> u16 {
        match self {
            Self::V3 => 3,
            #[cfg(any(test, feature = "next-wire"))]
            Self::V4 => 4,
        }
    }

    /// What this build broadcasts.
    pub(crate) fn broadcast() -> Self {
        build().broadcast
    }

    /// Whether this build speaks it.
    #[cfg(feature = "next-wire")]
    pub(crate) fn is_spoken(self) -> bool {
        let Build { oldest, newest, .. } = build();
        (oldest..=newest).contains(&self)
    }

    const fn of(number: u16) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            #[cfg(any(test, feature = "next-wire"))]
            4 => Some(Self::V4),
            _ => None,
        }
    }
}

/// The same of a build that is known to the compiler.
#[derive(Clone, Copy)]
struct Build {
    oldest: WireVersion,
    newest: WireVersion,
    broadcast: WireVersion,
}

const THIS_BUILD: Build = Build {
    oldest: WireVersion::V3,
    newest: WireVersion::V3,
    broadcast: WireVersion::V3,
};

#[cfg(not(feature = "next-wire"))]
const fn build() -> Build {
    THIS_BUILD
}

/// What `HITHER_WIRE` asks for, such as `3-4:3`.
#[cfg(feature = "next-wire")]
fn build() -> Build {
    use std::{env, sync::LazyLock};

    static ASKED_FOR: LazyLock<Build> = LazyLock::new(|| {
        let Some(text) = env::var_os("HITHER_WIRE") else {
            return THIS_BUILD;
        };
        let asked = text.to_str().and_then(|text| text.parse().ok()).and_then(
            |WireVersions {
                 oldest,
                 newest,
                 broadcast,
             }| {
                Some(Build {
                    oldest: WireVersion::of(oldest)?,
                    newest: WireVersion::of(newest)?,
                    broadcast: WireVersion::of(broadcast)?,
                })
            },
        );
        #[expect(
            clippy::panic,
            reason = "a test must not run with another build than it asks for"
        )]
        asked.unwrap_or_else(|| {
            panic!("HITHER_WIRE is {text:?}: versions that this build knows are such as 3-4:3")
        })
    });
    *ASKED_FOR
}

impl WireVersions {
    /// The number of bytes of [`encode`](Self::encode).
    pub(crate) const LENGTH: usize = 6;

    /// What this build speaks.
    pub fn this_build() -> Self {
        let Build {
            oldest,
            newest,
            broadcast,
        } = build();
        Self {
            oldest: oldest.number(),
            newest: newest.number(),
            broadcast: broadcast.number(),
        }
    }

    /// A range from the oldest to the newest version, and the one that is broadcast.
    ///
    /// # Errors
    /// When the oldest is newer than the newest, or what is broadcast is not between them.
    pub fn new(oldest: u16, newest: u16, broadcast: u16) -> Result<Self, InvalidVersions> {
        (oldest..=newest)
            .contains(&broadcast)
            .then_some(Self {
                oldest,
                newest,
                broadcast,
            })
            .ok_or(InvalidVersions)
    }

    /// The newest version that both speak, this build and who speaks `other`, if they fit.
    pub(crate) fn common(self, other: Self) -> Option<WireVersion> {
        let fits = self.speaks(other.broadcast) && other.speaks(self.broadcast);
        let newest = self.newest.min(other.newest);
        fits.then(|| WireVersion::of(newest)).flatten()
    }

    fn speaks(self, version: u16) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }

    /// Three numbers, big endian.
    pub(crate) fn encode(self) -> [u8; Self::LENGTH] {
        let [[a, b], [c, d], [e, f]] = [self.oldest, self.newest, self.broadcast].map(u16::to_be_bytes);
        [a, b, c, d, e, f]
    }

    pub(crate) fn decode([a, b, c, d, e, f]: [u8; Self::LENGTH]) -> Result<Self, InvalidVersions> {
        let [oldest, newest, broadcast] = [[a, b], [c, d], [e, f]].map(u16::from_be_bytes);
        Self::new(oldest, newest, broadcast)
    }
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl fmt::Display for WireVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}:{}", self.oldest, self.newest, self.broadcast)
    }
}

impl FromStr for WireVersions {
    type Err = InvalidVersions;

    fn from_str(text: &str) -> Result<Self, InvalidVersions> {
        let (range, broadcast) = text.split_once(':').ok_or(InvalidVersions)?;
        let (oldest, newest) = range.split_once('-').ok_or(InvalidVersions)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidVersions);
        Self::new(number(oldest)?, number(newest)?, number(broadcast)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> WireVersions {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_that_both_speak_is_used_if_each_speaks_what_the_other_broadcasts() {
        for (one, other, common) in [
            ("3-3:3", "3-3:3", Some(WireVersion::V3)),
            ("3-3:3", "3-4:3", Some(WireVersion::V3)),
            ("3-4:3", "3-4:4", Some(WireVersion::V4)),
            ("3-4:4", "4-4:4", Some(WireVersion::V4)),
            ("3-5:3", "2-4:3", Some(WireVersion::V4)),
            ("3-3:3", "3-4:4", None),
            ("3-4:3", "4-4:4", None),
            ("3-3:3", "4-5:4", None),
            ("0-2:2", "3-3:3", None),
        ] {
            let [one, other] = [one, other].map(spoken);
            assert_eq!(one.common(other), common, "{one} and {other}");
            assert_eq!(other.common(one), common, "{other} and {one}");
        }
    }

    #[test]
    fn this_build_speaks_what_it_can() {
        let WireVersions {
            oldest,
            newest,
            broadcast,
        } = WireVersions::this_build();
        assert!((oldest..=newest).all(|number| WireVersion::of(number).is_some()));
        assert_eq!(WireVersion::broadcast().number(), broadcast);
        assert_eq!(
            WireVersions::new(oldest, newest, broadcast),
            Ok(WireVersions::this_build())
        );
        for version in [WireVersion::V3, WireVersion::V4] {
            assert_eq!(WireVersion::of(version.number()), Some(version));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let versions = spoken("3-258:4");
        assert_eq!(WireVersions::decode(versions.encode()), Ok(versions));
        assert_eq!(versions.to_string().parse(), Ok(versions));
        assert_eq!(versions.encode(), [0, 3, 1, 2, 0, 4]);
    }

    #[test]
    fn what_no_build_speaks_is_refused() {
        for text in [
            "",
            "3",
            "3-3",
            "4-3:3",
            "3-4:5",
            "-:",
            "3-x:3",
            "3-4:",
            "3-65536:3",
        ] {
            assert_eq!(text.parse::<WireVersions>(), Err(InvalidVersions), "{text}");
        }
        assert_eq!(WireVersions::decode([0, 4, 0, 3, 0, 3]), Err(InvalidVersions));
        assert_eq!(WireVersions::decode([0, 3, 0, 4, 0, 5]), Err(InvalidVersions));
    }
}
