//! All secrets that a node has at a time, which may be exchanged while it runs.

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    GossipKey, GossipKeys, LinkKey, LinkKeys, Origin, Secret, SecretError, digits, hexadecimal, keyed,
    keys::Keys,
};

/// The secrets of a cluster, shared by all that use them in a node: the first is used for what the node says, and all are
/// accepted in what others say.
///
/// A cluster is given another secret in three rounds over its nodes, without a moment in which two nodes do not understand
/// each other: add the new one behind the old, put it first, take the old one away.
#[derive(Clone)]
pub struct Secrets(Arc<RwLock<Arc<Set>>>);

struct Set {
    first: Secret,
    others: Vec<Secret>,
    links: LinkKeys,
    gossip: GossipKeys,
}

/// Keys for codes (HMAC-SHA256) of one purpose of the embedder: a code that was made for one is worth nothing for another.
/// They follow the [`Secrets`] that they come from.
pub struct MacKeys {
    secrets: Secrets,
    purpose: &'static str,
    /// Derived from the set beside them.
    derived: RwLock<(Arc<Set>, Keys<Hmac<Sha256>>)>,
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

impl Set {
    fn new(first: Secret, others: Vec<Secret>) -> Self {
        Self {
            links: Keys::derive(&first, &others, LinkKey::of),
            gossip: Keys::derive(&first, &others, GossipKey::of),
            first,
            others,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Secrets {
    /// How many there can be: two while one is exchanged, and as many again for whoever is in the middle of it twice.
    pub const MAX: usize = 4;

    /// Secrets, of which the first is used for what the node says. One that comes twice counts once.
    ///
    /// # Errors
    /// [`SecretError::Missing`] without any, [`SecretError::TooMany`] above [`MAX`](Self::MAX).
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, SecretError> {
        let mut all = Vec::new();
        for secret in secrets {
            if !all.contains(&secret) {
                all.push(secret);
            }
        }
        if all.len() > Self::MAX {
            return Err(SecretError::TooMany(all.len()));
        }
        let mut all = all.into_iter();
        let first = all.next().ok_or(SecretError::Missing)?;
        Ok(Self::of(Set::new(first, all.collect())))
    }

    /// Secrets given as text, one a line; empty lines do not count.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`Secret::new`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        Self::new(lines.map(Secret::new).collect::<Result<Vec<_>, _>>()?)
    }

    /// Secrets kept in files, as [`parse`](Self::parse) takes them.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`] when a file cannot be read as UTF-8, else as [`parse`](Self::parse).
    pub fn from_files<P: AsRef<Path>>(paths: &[P]) -> Result<Self, SecretError> {
        let mut all = String::new();
        for path in paths {
            let path = path.as_ref();
            let text = std::fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
            all.push_str(&text);
            all.push('\n');
        }
        Self::parse(&all)
    }

    /// Takes the secrets of `other` in place of these, at once and for all that share them. False if they are the same.
    pub fn replace(&self, other: &Self) -> bool {
        let next = other.set();
        let mut set = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if set.all().eq(next.all()) {
            return false;
        }
        *set = next;
        true
    }

    /// What operators tell them apart by: the first, and then the others.
    pub fn fingerprints(&self) -> Vec<String> {
        self.set().all().map(Secret::fingerprint).collect()
    }

    /// Whether it is safe to open the cluster ports at these addresses with these secrets.
    ///
    /// # Errors
    /// [`ExposedWithoutSecret`] names the first address that is not on loopback, if nobody configured a secret.
    pub fn check_exposure(
        &self,
        gossip: &[SocketAddr],
        link: &[SocketAddr],
    ) -> Result<(), ExposedWithoutSecret> {
        if self.set().all().all(|secret| secret.origin == Origin::Configured) {
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

    /// Keys for the codes of one purpose of the embedder.
    pub fn mac_keys(&self, purpose: &'static str) -> MacKeys {
        let set = self.set();
        let keys = derive_macs(&set, purpose);
        MacKeys {
            secrets: self.clone(),
            purpose,
            derived: RwLock::new((set, keys)),
        }
    }

    /// A seal on a text, as lower-case hexadecimal digits: only who knows a secret can make it. A seal that was made for one
    /// purpose is worth nothing for another.
    pub fn seal(&self, purpose: &'static str, text: &str) -> String {
        hexadecimal(&self.mac_keys(purpose).code(text.as_bytes()))
    }

    /// Whether this is the seal on that text for that purpose. Takes the same time for all wrong ones.
    pub fn is_seal(&self, purpose: &'static str, text: &str, seal: &str) -> bool {
        let whole = digits(seal).filter(|seal| seal.len() == 32);
        whole.is_some_and(|seal| self.mac_keys(purpose).verifies(text.as_bytes(), &seal))
    }

    pub(crate) fn link_keys(&self) -> LinkKeys {
        self.set().links.clone()
    }

    pub(crate) fn gossip_keys(&self) -> GossipKeys {
        self.set().gossip.clone()
    }

    fn of(set: Set) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(set))))
    }

    fn set(&self) -> Arc<Set> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MacKeys {
    /// The code of these bytes, all 32 bytes of it, by the first secret. A beginning of it will do where forging takes a
    /// request for each try.
    pub fn code(&self, bytes: &[u8]) -> [u8; 32] {
        let code = |keys: &Keys<Hmac<Sha256>>| keys.spoken().clone().chain_update(bytes).finalize();
        self.with_keys(code).into_bytes().into()
    }

    /// Whether `code` is the code of these bytes by any secret, or a beginning of it. Takes the same time for all wrong ones
    /// of a length; no code at all is wrong.
    pub fn verifies(&self, bytes: &[u8], code: &[u8]) -> bool {
        let verifies = |key: &Hmac<Sha256>| {
            let mac = key.clone().chain_update(bytes);
            mac.verify_truncated_left(code).is_ok()
        };
        self.with_keys(|keys| keys.accepted().any(verifies))
    }

    fn with_keys<T>(&self, work: impl FnOnce(&Keys<Hmac<Sha256>>) -> T) -> T {
        let set = self.secrets.set();
        {
            let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&derived.0, &set) {
                return work(&derived.1);
            }
        }
        let keys = derive_macs(&set, self.purpose);
        let done = work(&keys);
        *self.derived.write().unwrap_or_else(PoisonError::into_inner) = (set, keys);
        done
    }
}

fn derive_macs(set: &Set, purpose: &str) -> Keys<Hmac<Sha256>> {
    let purpose = format!("hither mac 1 {purpose}");
    Keys::derive(&set.first, &set.others, |secret| {
        keyed(&secret.derive(purpose.as_bytes()))
    })
}

impl From<Secret> for Secrets {
    fn from(secret: Secret) -> Self {
        Self::of(Set::new(secret, Vec::new()))
    }
}

/// Whether they are the same now.
impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        self.set().all().eq(other.set().all())
    }
}

/// Shows fingerprints alone.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.set().all()).finish()
    }
}

impl fmt::Debug for MacKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKeys({:?})", self.purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::testing::secret;

    fn secrets(texts: &[&str]) -> Secrets {
        Secrets::new(texts.iter().map(|text| secret(text))).unwrap()
    }

    #[test]
    fn a_file_holds_one_or_more_one_a_line() {
        let (one, two) = (secret("one"), secret("two"));
        let text = format!("\n {} \n\n{}\n{}", one.reveal(), two.reveal(), one.reveal());
        let parsed = Secrets::parse(&text).unwrap();
        assert_eq!(parsed, secrets(&["one", "two"]));
        assert_eq!(parsed.fingerprints(), [one.fingerprint(), two.fingerprint()]);
    }

    #[test]
    fn none_too_many_and_none_that_can_be_read_are_refused() {
        assert!(matches!(Secrets::parse("\n \n"), Err(SecretError::Missing)));
        let many = (0..5).map(|number| secret(&number.to_string()));
        assert!(matches!(Secrets::new(many), Err(SecretError::TooMany(5))));
        let error = Secrets::from_files(&["/does/not/exist"]).unwrap_err().to_string();
        assert!(error.contains("/does/not/exist"), "{error}");
    }

    #[test]
    fn the_first_is_spoken_and_all_are_accepted() {
        let both = secrets(&["one", "two"]);
        let [one, two] = ["one", "two"].map(|text| secrets(&[text]).link_keys().spoken().clone());
        assert_eq!(*both.link_keys().spoken(), one);
        assert!(both.link_keys().accepted().eq([&one, &two]));
        assert_eq!(both.gossip_keys().accepted().count(), 2);
    }

    #[test]
    fn all_that_share_them_have_the_new_ones_at_once() {
        let ours = secrets(&["one"]);
        let (clone, keys) = (ours.clone(), ours.mac_keys("test"));
        let before = keys.code(b"text");
        assert!(ours.replace(&secrets(&["two", "one"])));
        assert!(!ours.replace(&secrets(&["two", "one"])));
        assert_eq!(clone, secrets(&["two", "one"]));
        assert_ne!(keys.code(b"text"), before);
        assert!(keys.verifies(b"text", &before));
        assert!(ours.replace(&secrets(&["two"])));
        assert!(!keys.verifies(b"text", &before));
    }

    #[test]
    fn a_code_holds_for_one_secret_one_purpose_and_one_text() {
        let one = secrets(&["one"]);
        let keys = one.mac_keys("sid");
        let code = keys.code(b"one");
        assert!(keys.verifies(b"one", &code));
        assert!(keys.verifies(b"one", &code[..9]));
        assert!(!keys.verifies(b"two", &code));
        assert!(!one.mac_keys("pid").verifies(b"one", &code));
        assert!(!secrets(&["two"]).mac_keys("sid").verifies(b"one", &code));
        let longer = [code.as_slice(), &[0]].concat();
        for wrong in [&[][..], &code[1..], &longer, &[0; 32]] {
            assert!(!keys.verifies(b"one", wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_seal_is_a_whole_code_in_digits() {
        let one = secrets(&["one"]);
        let seal = one.seal("leave", "node1");
        assert!(one.is_seal("leave", "node1", &seal));
        assert!(!one.is_seal("stay", "node1", &seal));
        assert!(!one.is_seal("leave", "node2", &seal));
        assert!(!secrets(&["two"]).is_seal("leave", "node1", &seal));
        for wrong in ["", "0", "zz", "éé", &seal[2..], &seal[1..], &seal[..62]] {
            assert!(!one.is_seal("leave", "node1", wrong), "{wrong}");
        }
    }

    #[test]
    fn debug_prints_no_key() {
        let shown = format!("{:?}", secrets(&["one"]));
        assert_eq!(
            shown,
            format!("[Secret(Configured {})]", secret("one").fingerprint())
        );
    }

    #[test]
    fn without_a_secret_only_loopback_will_do() {
        let loopback = ["127.0.0.1:7001".parse().unwrap(), "[::1]:7001".parse().unwrap()];
        let exposed = ["10.0.0.1:7001".parse().unwrap()];
        let everywhere = ["0.0.0.0:7001".parse().unwrap()];

        let none = Secrets::from(Secret::well_known());
        assert!(none.check_exposure(&loopback, &loopback).is_ok());
        let error = none.check_exposure(&loopback, &exposed).unwrap_err().to_string();
        assert!(
            error.contains("link address") && error.contains("10.0.0.1:7001"),
            "{error}"
        );
        assert!(none.check_exposure(&everywhere, &loopback).is_err());
        assert!(secrets(&["one"]).check_exposure(&exposed, &everywhere).is_ok());
    }
}
