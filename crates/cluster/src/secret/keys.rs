//! The keys of the two cluster ports.

use std::{fmt, sync::Arc};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Secret, keyed};

/// The key by which the two ends of a connection between nodes know each other.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LinkKey([u8; 32]);

/// The key of gossip, from which those of datagrams are derived.
#[derive(Clone)]
pub(crate) struct GossipKey(Hmac<Sha256>);

/// Keys of all secrets that a node has, for one purpose.
#[derive(Clone)]
pub(crate) struct Keys<Key> {
    spoken: Key,
    others: Arc<[Key]>,
}

/// The keys of links.
pub(crate) type LinkKeys = Keys<LinkKey>;

/// The keys of gossip.
pub(crate) type GossipKeys = Keys<GossipKey>;

impl<Key> Keys<Key> {
    pub(super) fn derive(first: &Secret, others: &[Secret], derive: impl Fn(&Secret) -> Key) -> Self {
        Self {
            spoken: derive(first),
            others: others.iter().map(derive).collect(),
        }
    }

    /// For what this node says.
    pub(crate) fn spoken(&self) -> &Key {
        &self.spoken
    }

    /// For what others say, the most likely first.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.spoken).chain(&*self.others)
    }
}

impl LinkKey {
    pub(super) fn of(secret: &Secret) -> Self {
        Self(secret.derive(b"hither link 3"))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl GossipKey {
    pub(super) fn of(secret: &Secret) -> Self {
        Self(keyed(&secret.derive(b"hither gossip 3")))
    }

    /// The key of all datagrams of one life of a node.
    pub(crate) fn of_origin(&self, origin: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(origin).finalize().into_bytes().into()
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

impl fmt::Debug for GossipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GossipKey")
    }
}
