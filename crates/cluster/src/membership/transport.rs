//! Chitchat's transport: UDP datagrams that are sealed, and believed as [`Channels`] decides.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use chitchat::{
    ChitchatMessage, Deserializable, Serializable,
    transport::{Socket, Transport},
};
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use super::{
    channels::{Channels, Outcome, Refused},
    datagram::{MAX_DATAGRAM, Unopened},
};
use crate::{secret::Secrets, throttle::Throttle};

/// How long to wait before a socket that failed is asked again: it may fail for long (no network), and at once.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Hands an open UDP socket to chitchat, which opens its transport once.
pub(super) struct SealedTransport {
    socket: Mutex<Option<SealedSocket>>,
}

impl SealedTransport {
    pub(super) fn new(
        socket: UdpSocket,
        channels: Channels,
        secrets: Secrets,
        refused: Arc<AtomicU64>,
    ) -> Self {
        let socket = SealedSocket {
            socket,
            channels,
            secrets,
            incoming: vec![0; MAX_DATAGRAM].into(),
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
    channels: Channels,
    secrets: Secrets,
    incoming: Box<[u8]>,
    refused: Arc<AtomicU64>,
    refusals: Throttle,
    failures: Throttle,
}

/// An error of either direction would end chitchat for good, and networks come back: so neither returns one.
#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let payload = Bytes::from(message.serialize_to_vec());
        let bytes = payload.len();
        match self
            .channels
            .send(to, payload, &self.secrets.gossip_keys(), Instant::now())
        {
            Some(datagram) => self.send_datagram(to, &datagram).await,
            None => {
                if let Some(suppressed) = self.failures.permit() {
                    warn!(%to, bytes, suppressed, "gossip does not fit into a datagram: too many nodes");
                }
            }
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            match self.socket.recv_from(&mut self.incoming).await {
                Ok((length, source)) => {
                    let datagram = self.incoming.get(..length).unwrap_or_default();
                    let outcome =
                        self.channels
                            .receive(datagram, &self.secrets.gossip_keys(), Instant::now());
                    let Outcome {
                        gossip,
                        send,
                        refused,
                    } = outcome;
                    if let Some(reason) = refused {
                        self.refuse(source, length, &reason);
                    }
                    if let Some((to, datagram)) = send {
                        self.send_datagram(to, &datagram).await;
                    }
                    let message = gossip.and_then(|(from, payload)| Some((from, self.read(from, &payload)?)));
                    if let Some(message) = message {
                        return Ok(message);
                    }
                }
                Err(error) => self.await_recovery(error).await,
            }
        }
    }
}

impl SealedSocket {
    async fn send_datagram(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Err(error) = self.socket.send_to(datagram, to).await
            && let Some(suppressed) = self.failures.permit()
        {
            warn!(%to, bytes = datagram.len(), suppressed, %error, "cannot send gossip");
        }
    }

    fn read(&mut self, from: SocketAddr, mut payload: &[u8]) -> Option<ChitchatMessage> {
        ChitchatMessage::deserialize(&mut payload)
            .inspect_err(|error| {
                if let Some(suppressed) = self.failures.permit() {
                    warn!(%from, suppressed, %error, "cannot read gossip; does that node run another version?");
                }
            })
            .ok()
    }

    fn refuse(&mut self, from: SocketAddr, bytes: usize, reason: &Refused) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        // Nodes that restart, or were stopped, send and get old ones as a matter of course.
        let is_of_interest = matches!(
            reason,
            Refused::Unopened(Unopened::OtherSecret | Unopened::Unreadable) | Refused::ForAnother(_)
        );
        if !is_of_interest {
            return debug!(%from, bytes, %reason, "refused gossip");
        }
        if let Some(suppressed) = self.refusals.permit() {
            warn!(%from, bytes, suppressed, %reason, "refused gossip");
        }
    }

    async fn await_recovery(&mut self, error: io::Error) {
        if let Some(suppressed) = self.failures.permit() {
            warn!(suppressed, %error, "cannot receive gossip");
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
