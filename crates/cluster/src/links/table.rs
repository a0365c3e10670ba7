//! The sending end of all links.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use super::{
    channel::Channel,
    credit::LinkLife,
    error::SendError,
    outbox::{Outbox, Unput},
};
use crate::{member::NodeId, version::WireVersion};

/// The sending end of all links of a node; cheap to clone.
#[derive(Clone, Default)]
pub struct LinkSender {
    table: Arc<Table>,
}

/// The sending end of one link.
struct Sending {
    outbox: Arc<Outbox>,
    version: WireVersion,
}

#[derive(Default)]
struct Table {
    links: RwLock<BTreeMap<NodeId, Sending>>,
}

impl LinkSender {
    /// Queues a message for a peer, by the channel of entities. Messages are delivered in the order of these calls, or not at all: what is under
    /// way when the link goes down is lost.
    ///
    /// It never blocks, and may be called from any thread. A peer that takes less than it is sent loses its link in the
    /// end ([`LinkDown::QueueFull`](super::LinkDown::QueueFull)).
    ///
    /// # Errors
    /// When there is no link to the peer, or the message is too large for any.
    pub fn send(&self, peer: &NodeId, message: Bytes) -> Result<(), SendError> {
        match self
            .table
            .read()
            .get(peer)
            .map(|link| link.outbox.put(Channel::Entities, message))
        {
            Some(Ok(())) => Ok(()),
            Some(Err(Unput::TooLarge { size, limit })) => Err(SendError::TooLarge { size, limit }),
            Some(Err(Unput::Shut)) | None => Err(SendError::NoLink(peer.clone())),
        }
    }

    /// What this node and the peer speak on the link between them, if there is one.
    pub(crate) fn version(&self, peer: &NodeId) -> Option<WireVersion> {
        self.table.read().get(peer).map(|link| link.version)
    }

    /// The peers to which there is a link now.
    pub fn linked(&self) -> Vec<NodeId> {
        self.table.read().keys().cloned().collect()
    }

    /// Whether there is a link to this peer now.
    pub fn is_linked(&self, peer: &NodeId) -> bool {
        self.table.read().contains_key(peer)
    }

    /// The present life of the link to this peer, if there is one.
    pub fn life(&self, peer: &NodeId) -> Option<LinkLife> {
        self.table
            .read()
            .get(peer)
            .map(|link| LinkLife::of(link.outbox.clone()))
    }

    /// Whether so much waits to be sent to this peer that what can wait should: a peer that takes less than it is sent loses
    /// its link in the end.
    pub fn is_congested(&self, peer: &NodeId) -> bool {
        self.table
            .read()
            .get(peer)
            .is_some_and(|link| link.outbox.is_congested())
    }

    /// Whether that is so for any peer.
    pub fn is_any_congested(&self) -> bool {
        self.table.read().values().any(|link| link.outbox.is_congested())
    }

    /// Completes when the link to this peer is not [congested](Self::is_congested), or there is none.
    pub async fn uncongested(&self, peer: &NodeId) {
        let outbox = self.table.read().get(peer).map(|link| link.outbox.clone());
        if let Some(outbox) = outbox {
            outbox.uncongested().await;
        }
    }

    pub(super) fn insert(&self, peer: NodeId, outbox: Arc<Outbox>, version: WireVersion) {
        self.table.write().insert(peer, Sending { outbox, version });
    }

    pub(super) fn remove(&self, peer: &NodeId) {
        self.table.write().remove(peer);
    }
}

impl Table {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<NodeId, Sending>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<NodeId, Sending>> {
        self.links.write().unwrap_or_else(PoisonError::into_inner)
    }
}
