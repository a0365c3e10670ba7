//! A hash on which all nodes agree, whichever build of Hither, and of Rust, they run.
//!
//! What the standard library's [`Hash`](std::hash::Hash) feeds to a hasher, and its default hasher, may change with each release
//! of it. Where nodes compare hashes (the placement of shards, the causes of publications) what is hashed is written here,
//! byte by byte, and the tests hold what comes of it.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// SipHash-1-3 of a series of texts and numbers, without a key: it protects from nobody.
#[derive(Clone)]
pub struct StableHash(SipHasher13);

impl Default for StableHash {
    fn default() -> Self {
        Self::new()
    }
}

impl StableHash {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(SipHasher13::new())
    }

    /// And of this text. Its length is hashed, too: "a", "bc" is another series than "ab", "c".
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        let mut hashed = self.number(text.len() as u64);
        hashed.0.write(text.as_bytes());
        hashed
    }

    /// And of this number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.write(&number.to_le_bytes());
        self
    }

    /// The hash of all that.
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_that_differ_differ() {
        let hashes = [
            StableHash::new(),
            StableHash::new().text(""),
            StableHash::new().number(1),
            StableHash::new().text("a").text("bc"),
            StableHash::new().text("ab").text("c"),
            StableHash::new().text("abc"),
        ]
        .map(|hash| hash.finish());
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash), "{at}");
        }
    }

    /// Nodes of different builds compare these. Whoever changes them splits a cluster during a rolling upgrade.
    #[test]
    fn the_hashes_are_what_they_have_always_been() {
        assert_eq!(StableHash::new().finish(), 0xd1fb_a762_150c_532c);
        assert_eq!(StableHash::new().text("hither").finish(), 0x66c4_ec12_47b4_8d95);
        assert_eq!(
            StableHash::new().text("hither").number(7).finish(),
            0x33b0_ffda_f7a2_5394
        );
    }
}
