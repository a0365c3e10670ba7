//! Links: one connection between each two live nodes, for ordered messages with back-pressure.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    member::{NodeId, View},
    secret::Secret,
};

/// What a node does with its links' news. All calls for one peer come one after the other; none may block.
pub trait LinkEvents: Send + Sync + 'static {
    /// A life of the link to this peer begins: messages can be sent to it.
    fn link_up(&self, peer: &NodeId);

    /// Messages of a peer, in the order in which it sent them.
    ///
    /// The peer may send more once the last clone of `credit` is dropped: keep it until the messages are handled.
    /// The messages share one buffer; copy what is kept for long.
    fn received(&self, peer: &NodeId, messages: Vec<Bytes>, credit: Credit);

    /// The life of the link has ended; what was sent and not received is lost.
    fn link_down(&self, peer: &NodeId, reason: &LinkDown);
}

/// The right of a peer to send as much again as came with this. Returned when the last clone is dropped.
#[derive(Clone, Debug, Default)]
pub struct Credit(Option<Arc<()>>);

impl Credit {
    /// A credit that nobody waits for.
    pub fn unaccounted() -> Self {
        Self(None)
    }
}

/// Why the life of a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkDown {
    /// The connection was closed by the peer, or broke.
    #[error("closed by the peer")]
    Closed,
    /// Nothing was heard from the peer for that long.
    #[error("silent for {0:?}")]
    Stalled(Duration),
    /// The peer takes less than it is sent.
    #[error("{queued} bytes wait to be sent, and {bound} may")]
    QueueFull {
        /// Bytes that waited.
        queued: usize,
        /// Bytes that may wait.
        bound: usize,
    },
    /// The peer is no longer a member.
    #[error("no longer a member")]
    LeftView,
    /// The peer has opened another link.
    #[error("replaced by a newer link")]
    Replaced,
    /// The peer sent what no sound peer sends.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// This node is shutting down.
    #[error("shutting down")]
    Shutdown,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no link to that node now.
    #[error("no link to {0}")]
    NoLink(NodeId),
    /// The message is larger than any peer would take.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why links cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// The link port cannot be opened.
    #[error("cannot listen for links at TCP {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The actors under the links did not start.
    #[error("cannot start the links' actors: {0}")]
    Actors(String),
}

/// Bounds of one link.
#[derive(Clone, Debug)]
pub struct LinkLimits {
    /// Bytes under way to a peer that has not returned their credit; one envelope more may be.
    pub window: usize,
    /// Bytes that may wait for the window; a link over this is cut.
    pub queue: usize,
    /// Bytes that are gathered into one envelope.
    pub batch: usize,
    /// The largest message, in bytes.
    pub message: usize,
    /// How long a peer may be silent before its link is cut; every peer pings several times in that time.
    pub stall_timeout: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            window: 4 << 20,
            queue: 64 << 20,
            batch: 256 << 10,
            message: (16 << 20) - 1024,
            stall_timeout: Duration::from_secs(2),
        }
    }
}

/// The open link port, before the links start.
pub struct LinkListener {
    listener: TcpListener,
    address: SocketAddr,
    sender: LinkSender,
}

impl LinkListener {
    /// Opens the link port; port 0 takes a free one.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn bind(address: SocketAddr) -> Result<Self, LinksError> {
        let failed = |source| LinksError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            sender: LinkSender {},
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sending end of the links that will start here.
    pub fn sender(&self) -> LinkSender {
        self.sender.clone()
    }
}

/// What links are started with.
pub struct LinksConfig {
    /// This life of this node.
    pub me: NodeId,
    /// The open link port.
    pub listener: LinkListener,
    /// The cluster's secret.
    pub secret: Secret,
    /// Bounds of each link.
    pub limits: LinkLimits,
}

/// The sending end of all links of a node; cheap to clone.
#[derive(Clone)]
pub struct LinkSender {}

impl LinkSender {
    /// Queues a message for a peer. Messages are delivered in the order of these calls. Never blocks.
    ///
    /// # Errors
    /// When the message is lost at once: without a link, or when it is too large.
    pub fn send(&self, peer: &NodeId, _message: Bytes) -> Result<(), SendError> {
        Err(SendError::NoLink(peer.clone()))
    }

    /// The peers to which there is a link now.
    pub fn linked(&self) -> Vec<NodeId> {
        Vec::new()
    }
}

/// All links of this node. They end when this is dropped or [shut down](Self::shutdown).
pub struct Links {
    sender: LinkSender,
    _listener: TcpListener,
}

impl Links {
    /// Accepts links, and opens one to each other member of the view.
    ///
    /// # Errors
    /// When the actors under the links do not start.
    pub async fn start(
        config: LinksConfig,
        _views: watch::Receiver<Arc<View>>,
        _events: Arc<dyn LinkEvents>,
    ) -> Result<Self, LinksError> {
        let LinkListener { listener, sender, .. } = config.listener;
        Ok(Self {
            sender,
            _listener: listener,
        })
    }

    /// The sending end.
    pub fn sender(&self) -> LinkSender {
        self.sender.clone()
    }

    /// As [`LinkSender::send`].
    ///
    /// # Errors
    /// As [`LinkSender::send`].
    pub fn send(&self, peer: &NodeId, message: Bytes) -> Result<(), SendError> {
        self.sender.send(peer, message)
    }

    /// As [`LinkSender::linked`].
    pub fn linked(&self) -> Vec<NodeId> {
        self.sender.linked()
    }

    /// Closes all links and ends.
    pub async fn shutdown(self) {}
}
