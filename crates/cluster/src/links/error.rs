//! What can go wrong with links.

use std::{io, net::SocketAddr, time::Duration};

use crate::member::NodeId;

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
    #[error("the peer is too slow: {waiting} bytes wait for it, and {bound} may")]
    QueueFull {
        /// Bytes that would have waited.
        waiting: usize,
        /// Bytes that may wait.
        bound: usize,
    },
    /// The peer is no longer a member, or never became one.
    #[error("not a member")]
    NotAMember,
    /// It was made with a secret that has been taken away.
    #[error("its secret is none of this node's any more")]
    SecretRetired,
    /// The peer has opened another link.
    #[error("replaced by a newer link")]
    Replaced,
    /// The connection was closed before it became a link.
    #[error("closed during the handshake: has that node the same cluster secret?")]
    Refused,
    /// The connection did not become a link in time.
    #[error("no handshake within {0:?}")]
    NoHandshake(Duration),
    /// The peer sent what no sound peer sends.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// This node's own handler of what was received panicked, and may have lost something.
    #[error("this node failed to handle what it received")]
    HandlerPanicked,
    /// This node is shutting down.
    #[error("this node is shutting down")]
    Shutdown,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no link to that node now.
    #[error("no link to {0}")]
    NoLink(NodeId),
    /// The message is larger than any peer would take; the link is not harmed.
    #[error("a message of {size} bytes is over the limit of {limit}: split it")]
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
        source: io::Error,
    },
    /// No link could work with these limits.
    #[error("link limits make no sense: {0}")]
    Limits(&'static str),
    /// The actors under the links did not start.
    #[error("cannot start the actors under the links: {0}")]
    Actors(String),
}
