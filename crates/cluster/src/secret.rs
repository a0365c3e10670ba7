//! The cluster's secrets, and the keys that are derived from them.

mod keys;
mod secrets;

use std::{fmt, io, path::PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) use self::keys::{GossipKey, GossipKeys, LinkKey, LinkKeys};
pub use self::secrets::{ExposedWithoutSecret, MacKeys, Secrets};

const BYTES: usize = 32;

/// What all nodes of one cluster know and nobody else does: 32 random bytes, which nobody guesses.
///
/// It never leaves the process: gossip, links and codes each use a key of their own, derived from it by HMAC-SHA256. A
/// secret that people make up could be guessed from a recording; one that has to be random needs no derivation that takes
/// its time for each guess.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    origin: Origin,
    bytes: [u8; BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Configured,
    WellKnown,
}

/// A secret that cannot be used. No message holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file with secrets cannot be read.
    #[error("cannot read the cluster secret from {path}: {source}", path = path.display())]
    Unreadable {
        /// The file that was to hold them.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// It is nothing that was drawn at random.
    #[error(
        "a cluster secret is 64 hexadecimal digits, for 32 random bytes, and this one has {characters} characters{}: \
         `hither secret new` makes one",
        if *characters == 2 * BYTES { " of which some are others" } else { "" }
    )]
    Malformed {
        /// How many characters it has, without surrounding white space.
        characters: usize,
    },
    /// It has the right form, and was not drawn at random.
    #[error("the cluster secret repeats itself, so it is not random: `hither secret new` makes one that is")]
    Repetitive,
    /// There is none.
    #[error("there is no cluster secret: `hither secret new` makes one")]
    Missing,
    /// There are more than can be needed.
    #[error("{0} cluster secrets are too many: two are needed while one is exchanged, and {max} can be", max = Secrets::MAX)]
    TooMany(usize),
}

impl Secret {
    /// A secret given as 64 hexadecimal digits; white space around them does not count.
    ///
    /// # Errors
    /// [`SecretError::Malformed`] or [`SecretError::Repetitive`].
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let malformed = || SecretError::Malformed {
            characters: text.chars().count(),
        };
        let bytes = digits(text).and_then(|bytes| bytes.try_into().ok());
        let bytes: [u8; BYTES] = bytes.ok_or_else(malformed)?;
        if is_repetitive(&bytes) {
            return Err(SecretError::Repetitive);
        }
        Ok(Self {
            origin: Origin::Configured,
            bytes,
        })
    }

    /// A new secret, which nobody else has.
    pub fn random() -> Self {
        Self {
            origin: Origin::Configured,
            bytes: rand::random(),
        }
    }

    /// The secret as [`new`](Self::new) takes it. Whoever sees it can join the cluster.
    pub fn reveal(&self) -> String {
        hexadecimal(&self.bytes)
    }

    /// The key that every Hither knows: for a cluster on one machine, whose ports only that machine reaches.
    ///
    /// See [`Secrets::check_exposure`].
    pub fn well_known() -> Self {
        Self {
            origin: Origin::WellKnown,
            bytes: *b"hither, on loopback only, no key",
        }
    }

    /// A few digits by which operators tell secrets apart; they give nothing of it away.
    pub fn fingerprint(&self) -> String {
        let [a, b, c, d, ..] = self.derive(b"hither fingerprint 1");
        hexadecimal(&[a, b, c, d])
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        keyed(&self.bytes)
            .chain_update(purpose)
            .finalize()
            .into_bytes()
            .into()
    }
}

/// Of 32 random bytes some 30 differ. Fewer than 16 do once in 10²⁰ draws.
fn is_repetitive(bytes: &[u8; BYTES]) -> bool {
    let mut sorted = *bytes;
    sorted.sort_unstable();
    sorted.chunk_by(|one, other| one == other).count() < BYTES / 2
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that these digits are, two for each.
fn digits(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks() else {
        return None;
    };
    pairs
        .iter()
        .map(|&[high, low]| u8::try_from(value(high)? << 4 | value(low)?).ok())
        .collect()
}

/// Shows the fingerprint alone.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?} {})", self.origin, self.fingerprint())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Secret;

    /// A secret for each text.
    pub(crate) fn secret(text: &str) -> Secret {
        Secret {
            bytes: Secret::well_known().derive(text.as_bytes()),
            ..Secret::random()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::secret, *};

    #[test]
    fn what_is_revealed_is_read_and_white_space_does_not_count() {
        let secret = Secret::random();
        let padded = format!("  {}\n", secret.reveal().to_uppercase());
        assert_eq!(Secret::new(&padded).unwrap(), secret);
        assert_ne!(Secret::random(), secret);
    }

    #[test]
    fn what_people_make_up_is_refused_with_a_remedy_and_not_repeated() {
        let almost = format!("{}x", &Secret::random().reveal()[1..]);
        for text in [
            "",
            "hunter2",
            "a secret that is long enough for everyone",
            &almost,
        ] {
            let error = Secret::new(text).unwrap_err().to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
            assert!(error.contains("`hither secret new`"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        for text in ["0".repeat(64), "0123456789abcdef".repeat(4)] {
            let error = Secret::new(&text).unwrap_err();
            assert!(matches!(error, SecretError::Repetitive), "{error}");
        }
    }

    #[test]
    fn what_is_random_is_not_taken_for_made_up() {
        for _ in 0..10_000 {
            assert!(!is_repetitive(&Secret::random().bytes));
        }
    }

    #[test]
    fn purposes_and_secrets_have_keys_of_their_own() {
        let purposes = [
            b"hither gossip 3".as_slice(),
            b"hither link 3",
            b"hither fingerprint 1",
        ];
        let secrets = [secret("one"), secret("two")];
        let keys = secrets
            .iter()
            .flat_map(|secret| purposes.iter().map(|purpose| secret.derive(purpose)));
        let keys: std::collections::BTreeSet<_> = keys.collect();
        assert_eq!(keys.len(), purposes.len() * secrets.len());
    }

    #[test]
    fn debug_prints_no_key() {
        let secret = secret("one");
        let shown = format!("{secret:?}");
        assert_eq!(shown, format!("Secret(Configured {})", secret.fingerprint()));
        assert!(!secret.reveal().contains(&secret.fingerprint()));
    }
}
