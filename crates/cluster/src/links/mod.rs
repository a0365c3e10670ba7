//! Links: one connection between each two live nodes, for ordered messages with back-pressure.
//!
//! A [`LinkSender`] puts messages into the peer's [`Outbox`](outbox::Outbox). Its [`Writer`](writer::Writer) makes
//! [`Envelope`](envelope::Envelope)s of what waits and hands them to the library, which brings them to the peer's
//! [`Gateway`]. There the [`Switchboard`](switchboard::Switchboard) knows what belongs to what, and
//! tells the node ([`LinkEvents`]). The node drops the [`Credit`] when it is done, and word of that goes back with the
//! next envelope, which lets the writer go on.
//!
//! Every connection is [encrypted](noise), and both ends know that the other has the cluster's secret and which node it is
//! ([`hello`]), before the library or anything else says a word on it.
//!
//! Two nodes that cannot reach each other have their link through a third: the [`Course`](course::Course) of who dials
//! leads through others when the direct way is shut, and these [pass it on](pass::Passage).

mod accept;
mod channel;
mod course;
mod credit;
mod dial;
mod envelope;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gateway;
mod handshakes;
mod hello;
mod identity;
mod inquiry;
mod library;
mod life;
mod noise;
mod opened;
mod outbox;
mod pass;
mod sealed;
mod strangers;
mod stream;
mod switchboard;
mod table;
mod writer;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use ractor::{Actor, ActorRef};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};

pub(crate) use self::credit::Unsent;
pub(crate) use self::inquiry::{Inquirer, NoAnswer};
pub use self::{
    channel::Channel,
    credit::{Credit, LinkLife},
    error::{LinkDown, LinksError, SendError},
    table::LinkSender,
};
use self::{
    envelope::{HEADER, MESSAGE_HEADER},
    gateway::{Event, Gateway, GatewayArguments, GatewayMessage},
    hello::Greeter,
    library::FRAME_OVERHEAD,
};
use crate::{
    member::{NodeId, View},
    secret::Secrets,
    version::WireVersions,
};

/// What a node does with its links' news.
///
/// All calls come one after the other, for all peers, from one task: none may block.
pub trait LinkEvents: Send + Sync + 'static {
    /// A life of the link to this peer begins: messages can be sent to it.
    fn link_up(&self, peer: &NodeId);

    /// Messages of a peer by one channel, in the order in which it sent them.
    ///
    /// The peer may send more once the last clone of `credit` is dropped. The messages share one buffer: copy what is
    /// kept for long.
    fn received(&self, peer: &NodeId, channel: Channel, messages: Vec<Bytes>, credit: Credit);

    /// The life of the link has ended. What was sent in it and is not answered may be lost.
    fn link_down(&self, peer: &NodeId, reason: &LinkDown);
}

/// Bounds of one link, for each of its channels. All nodes of a cluster must have the same.
#[derive(Clone, Debug)]
pub struct LinkLimits {
    /// Bytes under way to a peer that has not handled them; one batch or message more may be.
    pub window: usize,
    /// Bytes that may wait for the window to open. A link over this is cut, for the peer is too slow or stuck. From an eighth
    /// of it on the link is congested, and what clients cause waits where it comes from.
    pub queue: usize,
    /// Bytes that are gathered into one envelope.
    pub batch: usize,
    /// The largest message, in bytes.
    pub message: usize,
    /// How long a peer may be silent before its link is cut. Each side pings four times as often.
    pub stall_timeout: Duration,
}

impl Default for LinkLimits {
    /// A frame of at most 16 MiB, which is also the library's default.
    fn default() -> Self {
        Self {
            window: 4 << 20,
            queue: 64 << 20,
            batch: 256 << 10,
            message: (16 << 20) - HEADER - MESSAGE_HEADER - FRAME_OVERHEAD,
            stall_timeout: Duration::from_secs(2),
        }
    }
}

impl LinkLimits {
    fn check(&self) -> Result<(), LinksError> {
        let faults = [
            (
                self.window == 0,
                "the window is empty: nothing could ever be sent",
            ),
            (
                self.queue < self.message + MESSAGE_HEADER,
                "the queue must have room for the largest message",
            ),
            (
                self.message > u32::MAX as usize,
                "a message must be smaller than 4 GiB",
            ),
            (
                self.stall_timeout < SHORTEST_STALL,
                "the stall timeout must be 100 ms or longer",
            ),
        ];
        match faults.into_iter().find(|(is_fault, _)| *is_fault) {
            Some((_, fault)) => Err(LinksError::Limits(fault)),
            None => Ok(()),
        }
    }
}

/// Any shorter, and a busy machine would cut links for nothing.
const SHORTEST_STALL: Duration = Duration::from_millis(100);

/// The open link port, before the links start.
pub struct LinkListener {
    listener: TcpListener,
    address: SocketAddr,
    sender: LinkSender,
}

impl LinkListener {
    /// Opens the link port; port 0 takes a free one. Peers that connect wait until the links start.
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
            sender: LinkSender::default(),
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
    /// The cluster's secrets. A link that was made with one that is taken away is cut, and comes up again.
    pub secrets: Secrets,
    /// Bounds of each link.
    pub limits: LinkLimits,
}

/// All links of this node. They end when this is dropped, or better [shut down](Self::shutdown).
pub struct Links {
    sender: LinkSender,
    gateway: ActorRef<GatewayMessage>,
}

impl Links {
    /// Accepts links, and has one with each other member of the view from now on.
    ///
    /// There can be one `Links` in a process: the actors below share what belongs to the process.
    ///
    /// # Errors
    /// When the limits make no sense, or the actors under the links do not start.
    pub async fn start(
        config: LinksConfig,
        views: watch::Receiver<Arc<View>>,
        events: Arc<dyn LinkEvents>,
    ) -> Result<Self, LinksError> {
        let LinksConfig {
            me,
            listener,
            secrets,
            limits,
        } = config;
        limits.check()?;
        let LinkListener { listener, sender, .. } = listener;
        let greeter = Greeter {
            me,
            secrets,
            versions: WireVersions::this_build(),
        };
        let gateway = Gateway { greeter, limits };
        let arguments = GatewayArguments {
            listener,
            sender: sender.clone(),
            views,
            events,
        };
        let (gateway, _) = Actor::spawn(None, gateway, arguments)
            .await
            .map_err(|error| LinksError::Actors(error.to_string()))?;
        Ok(Self { sender, gateway })
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

    /// Completes when the links have ended, which they do by themselves only if there is a bug.
    pub async fn ended(&self) {
        // Without a time limit there is no error.
        self.gateway.wait(None).await.ok();
    }

    /// Closes all links and ends; waits a second at most until the peers have handled what they were sent.
    pub async fn shutdown(self) {
        let (done, wait) = oneshot::channel();
        if self
            .gateway
            .cast(GatewayMessage::Local(Event::Shutdown(done)))
            .is_ok()
        {
            // An error means that the gateway has ended, which is what we wait for.
            wait.await.ok();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.gateway.stop(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_make_sense_and_fill_a_frame_of_16_mib() {
        let limits = LinkLimits::default();
        assert!(limits.check().is_ok());
        assert_eq!(library::frame_limit(&limits), 16 << 20);
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        let usual = LinkLimits::default;
        for limits in [
            LinkLimits { window: 0, ..usual() },
            LinkLimits {
                queue: usual().message,
                ..usual()
            },
            LinkLimits {
                queue: 8 << 30,
                message: 4 << 30,
                ..usual()
            },
            LinkLimits {
                stall_timeout: Duration::ZERO,
                ..usual()
            },
        ] {
            assert!(matches!(limits.check(), Err(LinksError::Limits(_))), "{limits:?}");
        }
    }
}
