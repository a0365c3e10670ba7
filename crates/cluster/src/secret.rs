//! The cluster secret, and the keys that are derived from it.

use std::{fmt, io, net::SocketAddr, path::Path, path::PathBuf, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::mac_key::MacKey;

/// What all nodes of one cluster know and nobody else does.
///
/// It never leaves the process: gossip, links and seals each use a key of their own, derived from it by HMAC-SHA256.
#[derive(Clone)]
pub struct Secret {
    origin: Origin,
    material: Arc<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Configured,
    WellKnown,
}

/// The key of gossip, from which those of datagrams are derived.
#[derive(Clone)]
pub(crate) struct GossipKey(Hmac<Sha256>);

/// The key of this node's own gossip, and those with which others' may be sealed.
#[derive(Clone)]
pub(crate) struct GossipKeys(GossipKey);

/// The key by which the two ends of a connection between nodes know each other.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LinkKey([u8; 32]);

/// The key that this node's own connections are made with, and those with which others' may be.
#[derive(Clone)]
pub(crate) struct LinkKeys(LinkKey);

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file with the secret cannot be read.
    #[error("cannot read the cluster secret from {path}: {source}", path = path.display())]
    Unreadable {
        /// The file that was to hold it.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// It would be too easy to guess.
    #[error(
        "the cluster secret has {length} bytes; it needs at least {}: try `openssl rand -hex 32`",
        Secret::MIN_LENGTH
    )]
    TooShort {
        /// Its length in bytes, without surrounding white space.
        length: usize,
    },
}

/// A cluster port that others can reach, while the cluster has no secret of its own.
#[derive(Debug, thiserror::Error)]
#[error(
    "without a cluster secret the {what} address must be on loopback, and {address} is not: \
     give all nodes the same secret (--secret-file or HITHER_SECRET), or use 127.0.0.1"
)]
pub struct ExposedWithoutSecret {
    what: &'static str,
    address: SocketAddr,
}

impl Secret {
    /// The fewest bytes that make a secret.
    pub const MIN_LENGTH: usize = 16;

    /// A secret given as text; white space around it does not count.
    ///
    /// # Errors
    /// [`SecretError::TooShort`] below [`MIN_LENGTH`](Self::MIN_LENGTH) bytes.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.len() < Self::MIN_LENGTH {
            return Err(SecretError::TooShort { length: text.len() });
        }
        Ok(Self {
            origin: Origin::Configured,
            material: text.as_bytes().into(),
        })
    }

    /// A secret kept in a file, as [`new`](Self::new) takes it.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`] when the file cannot be read as UTF-8, else as [`new`](Self::new).
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::new(&text)
    }

    /// A secret that nobody else has: for a node that no other is to join.
    pub fn random() -> Self {
        Self {
            origin: Origin::Configured,
            material: rand::random::<[u8; 32]>().as_slice().into(),
        }
    }

    /// The key that every Hither knows: for a cluster on one machine, whose ports only that machine reaches.
    ///
    /// See [`check_exposure`](Self::check_exposure).
    pub fn well_known() -> Self {
        Self {
            origin: Origin::WellKnown,
            material: b"hither, on loopback only".as_slice().into(),
        }
    }

    /// Whether it is safe to open the cluster ports at these addresses with this secret.
    ///
    /// # Errors
    /// [`ExposedWithoutSecret`] names the first address that is not on loopback, if nobody configured a secret.
    pub fn check_exposure(
        &self,
        gossip: &[SocketAddr],
        link: &[SocketAddr],
    ) -> Result<(), ExposedWithoutSecret> {
        if self.origin == Origin::Configured {
            return Ok(());
        }
        let gossip = gossip.iter().map(|address| ("gossip", address));
        let link = link.iter().map(|address| ("link", address));
        match gossip
            .chain(link)
            .find(|(_, address)| !address.ip().is_loopback())
        {
            Some((what, address)) => Err(ExposedWithoutSecret {
                what,
                address: *address,
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn gossip_keys(&self) -> GossipKeys {
        GossipKeys(GossipKey(keyed(&self.derive(b"hither gossip 3"))))
    }

    pub(crate) fn link_keys(&self) -> LinkKeys {
        LinkKeys(LinkKey(self.derive(b"hither link 3")))
    }

    /// A key for the codes of one purpose of the embedder.
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        MacKey::new(keyed(&self.derive(format!("hither mac 1 {purpose}").as_bytes())))
    }

    /// A seal on a text, as lower-case hexadecimal digits: only who knows the secret can make it. A seal that was made for
    /// one purpose is worth nothing for another.
    pub fn seal(&self, purpose: &'static str, text: &str) -> String {
        hexadecimal(&self.sealing(purpose, text).finalize().into_bytes())
    }

    /// Whether this is the seal on that text for that purpose. Takes the same time for all wrong ones.
    pub fn is_seal(&self, purpose: &'static str, text: &str, seal: &str) -> bool {
        digits(seal).is_some_and(|seal| self.sealing(purpose, text).verify_slice(&seal).is_ok())
    }

    fn sealing(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        keyed(&self.derive(format!("hither seal 1 {purpose}").as_bytes())).chain_update(text)
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        keyed(&self.material)
            .chain_update(purpose)
            .finalize()
            .into_bytes()
            .into()
    }
}

impl GossipKey {
    /// The key of all datagrams of one life of a node.
    pub(crate) fn of_origin(&self, origin: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(origin).finalize().into_bytes().into()
    }
}

impl GossipKeys {
    /// For datagrams that this node sends.
    pub(crate) fn spoken(&self) -> &GossipKey {
        &self.0
    }

    /// For datagrams that others send.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &GossipKey> {
        std::iter::once(&self.0)
    }
}

impl LinkKey {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl LinkKeys {
    /// For connections that this node makes.
    pub(crate) fn spoken(&self) -> &LinkKey {
        &self.0
    }

    /// For connections that others make.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &LinkKey> {
        std::iter::once(&self.0)
    }
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?})", self.origin)
    }
}

impl fmt::Debug for GossipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GossipKey")
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count() {
        let padded = Secret::new(" 0123456789abcdef\n").unwrap();
        let bare = Secret::new("0123456789abcdef").unwrap();
        assert_eq!(padded.link_keys().spoken(), bare.link_keys().spoken());
    }

    #[test]
    fn a_short_secret_is_refused_with_a_remedy() {
        let error = Secret::new("  0123456789abcde  ").unwrap_err().to_string();
        assert!(
            error.contains("15 bytes") && error.contains("at least 16"),
            "{error}"
        );
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let error = Secret::from_file(Path::new("/does/not/exist"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/does/not/exist"), "{error}");
    }

    #[test]
    fn purposes_and_secrets_have_keys_of_their_own() {
        let one = Secret::new("0123456789abcdef").unwrap();
        let other = Secret::new("0123456789abcdeg").unwrap();
        assert_ne!(one.link_keys().spoken(), other.link_keys().spoken());
        let purposes = [b"hither gossip 3".as_slice(), b"hither link 3"];
        let keys: std::collections::BTreeSet<_> =
            purposes.iter().map(|purpose| one.derive(purpose)).collect();
        assert_eq!(keys.len(), purposes.len());
    }

    #[test]
    fn a_seal_holds_for_one_secret_one_purpose_and_one_text() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        let seal = secret.seal("leave", "node1");
        assert!(secret.is_seal("leave", "node1", &seal));
        assert!(!secret.is_seal("stay", "node1", &seal));
        assert!(!secret.is_seal("leave", "node2", &seal));
        let other = Secret::new("0123456789abcdeg").unwrap();
        assert!(!other.is_seal("leave", "node1", &seal));
    }

    #[test]
    fn what_is_no_seal_at_all_is_refused() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        let seal = secret.seal("leave", "node1");
        for wrong in ["", "0", "zz", "éé", &seal[2..], &seal[1..], &format!("{seal}00")] {
            assert!(!secret.is_seal("leave", "node1", wrong), "{wrong}");
        }
    }

    #[test]
    fn debug_prints_no_key() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        let (gossip, links) = (secret.gossip_keys(), secret.link_keys());
        let shown = format!("{secret:?} {:?} {:?}", gossip.spoken(), links.spoken());
        assert_eq!(shown, "Secret(Configured) GossipKey LinkKey");
    }

    #[test]
    fn without_a_secret_only_loopback_will_do() {
        let loopback = ["127.0.0.1:7001".parse().unwrap(), "[::1]:7001".parse().unwrap()];
        let exposed = ["10.0.0.1:7001".parse().unwrap()];
        let everywhere = ["0.0.0.0:7001".parse().unwrap()];

        let none = Secret::well_known();
        assert!(none.check_exposure(&loopback, &loopback).is_ok());
        let error = none.check_exposure(&loopback, &exposed).unwrap_err().to_string();
        assert!(
            error.contains("link address") && error.contains("10.0.0.1:7001"),
            "{error}"
        );
        assert!(none.check_exposure(&everywhere, &loopback).is_err());

        let some = Secret::new("0123456789abcdef").unwrap();
        assert!(some.check_exposure(&exposed, &everywhere).is_ok());
    }
}
