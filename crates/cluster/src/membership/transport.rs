//! Chitchat's transport: UDP datagrams that bear a MAC.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use chitchat::{
    ChitchatMessage, Deserializable, Serializable,
    transport::{Socket, Transport},
};
use tokio::net::UdpSocket;
use tracing::warn;

use super::seal;
use crate::{secret::GossipKey, throttle::Throttle};

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM_LENGTH: usize = 65_507;

/// How long to wait before a socket that failed is asked again: it may fail for long (no network), and at once.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Hands an open UDP socket to chitchat, which opens its transport once.
pub(super) struct SealedTransport {
    socket: Mutex<Option<SealedSocket>>,
}

impl SealedTransport {
    pub(super) fn new(socket: UdpSocket, key: GossipKey, refused: Arc<AtomicU64>) -> Self {
        let socket = SealedSocket {
            socket,
            key,
            outgoing: Vec::with_capacity(DATAGRAM_LENGTH),
            incoming: vec![0; DATAGRAM_LENGTH].into(),
            refused,
            refusals: Throttle::default(),
            failures: Throttle::default(),
        };
        Self {
            socket: Mutex::new(Some(socket)),
        }
    }
}

#[async_trait]
impl Transport for SealedTransport {
    async fn open(&self, _listen: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(
            socket.take().context("the gossip socket was opened before")?,
        ))
    }
}

struct SealedSocket {
    socket: UdpSocket,
    key: GossipKey,
    outgoing: Vec<u8>,
    incoming: Box<[u8]>,
    refused: Arc<AtomicU64>,
    refusals: Throttle,
    failures: Throttle,
}

/// An error of either direction would end chitchat for good, and networks come back: so neither returns one.
#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        self.outgoing.clear();
        message.serialize(&mut self.outgoing);
        seal::seal(&self.key, &mut self.outgoing);
        if let Err(error) = self.socket.send_to(&self.outgoing, to).await
            && let Some(suppressed) = self.failures.permit()
        {
            warn!(%to, bytes = self.outgoing.len(), suppressed, %error, "cannot send gossip");
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            match self.socket.recv_from(&mut self.incoming).await {
                Ok((length, from)) => {
                    if let Some(message) = self.accept(length, from) {
                        return Ok((from, message));
                    }
                }
                Err(error) => self.await_recovery(error).await,
            }
        }
    }
}

impl SealedSocket {
    fn accept(&mut self, length: usize, from: SocketAddr) -> Option<ChitchatMessage> {
        let Some(mut payload) = self
            .incoming
            .get(..length)
            .and_then(|datagram| seal::open(&self.key, datagram))
        else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            if let Some(suppressed) = self.refusals.permit() {
                warn!(%from, bytes = length, suppressed, "refused gossip that does not know the cluster secret");
            }
            return None;
        };
        ChitchatMessage::deserialize(&mut payload)
            .inspect_err(|error| {
                if let Some(suppressed) = self.failures.permit() {
                    warn!(%from, bytes = length, suppressed, %error, "cannot read gossip; does that node run another version?");
                }
            })
            .ok()
    }

    async fn await_recovery(&mut self, error: io::Error) {
        if let Some(suppressed) = self.failures.permit() {
            warn!(suppressed, %error, "cannot receive gossip");
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
