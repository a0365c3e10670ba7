//! Lets clients in and counts those that are not.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::HeaderMap,
};
use tracing::warn;

use super::{
    AdmissionLimits, TrustedProxies,
    address_group::AddressGroup,
    admissions::{Admissions, Place, Refused},
    body::BodyError,
    body_budget::{BodyBudget, BodyRoom, NoRoom},
    refusals::Refusals,
};
use crate::status::ClientStatus;

/// Lets clients in, as far as the [limits](AdmissionLimits) allow. Cheap to clone.
///
/// Whoever accepts connections asks it for each, and keeps what it gives as long as the connection lives.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trusted_proxies: TrustedProxies,
    admissions: Mutex<Admissions>,
    bodies: BodyBudget,
    refused_by_node: Refusals,
    refused_by_address: Refusals,
    refused_bodies: Refusals,
    refused_origins: Refusals,
}

/// A connection that is let in. Dropped when it ends; one that becomes a WebSocket hands it on in the extensions of its
/// request.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "held for being dropped")]
pub struct Connection(Arc<Held>);

/// A request under way, or a WebSocket.
#[derive(Debug)]
#[expect(dead_code, reason = "held for being dropped")]
pub(crate) struct Use(Held);

#[derive(Debug)]
struct Held {
    gate: Gate,
    counted: Option<AddressGroup>,
    place: Place,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// The node has as many as it may have.
    #[error("this node has too many clients")]
    AtNode {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The client's address has as many as it may have.
    #[error("too many clients come from this address")]
    FromAddress {
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

impl Gate {
    /// Nobody is in yet. A [`Server`](crate::Server) has [its own](crate::Server::gate).
    pub fn new(limits: &AdmissionLimits) -> Self {
        Self(Arc::new(Inner {
            trusted_proxies: limits.trusted_proxies.clone(),
            admissions: Mutex::new(Admissions::new(limits.clone(), Instant::now())),
            bodies: BodyBudget::new(limits.body_bytes),
            refused_by_node: Refusals::default(),
            refused_by_address: Refusals::default(),
            refused_bodies: Refusals::default(),
            refused_origins: Refusals::default(),
        }))
    }

    /// Somebody connects. A trusted proxy counts for no address, for it speaks for many.
    ///
    /// # Errors
    /// When the node, or the address, has too many connections.
    pub fn connect(&self, peer: IpAddr) -> Result<Connection, TooMany> {
        let address = self.counted(peer, self.0.trusted_proxies.contains(peer));
        self.enter(address, Place::Connection)
            .map(|held| Connection(Arc::new(held)))
    }

    /// Somebody asks for something.
    pub(crate) fn request(&self, client: Option<IpAddr>) -> Result<Use, TooMany> {
        let address = client.and_then(|client| self.counted(client, false));
        self.enter(address, Place::Use).map(Use)
    }

    /// Somebody opens a session.
    pub(crate) fn open(&self, client: Option<IpAddr>) -> Result<(), TooMany> {
        let address = client.and_then(|client| self.counted(client, false));
        let opened = self.admissions().open(address, Instant::now());
        opened.map_err(|refused| self.refuse(refused, address))
    }

    /// Whose word is taken for whom he speaks for.
    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.0.trusted_proxies
    }

    /// Reads a body of at most `limit` bytes, as far as the node has room for it.
    pub(crate) async fn read_body(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
    ) -> Result<(Bytes, BodyRoom), BodyError> {
        let read = self.0.bodies.read(headers, body, limit).await;
        if let Err(BodyError::NoRoom(_)) = &read
            && let Some(so_far) = self.0.refused_bodies.note()
        {
            warn!(
                so_far,
                "request bodies refused: the node's budget for bodies is used up"
            );
        }
        read
    }

    /// Somebody's page is not let in.
    pub(crate) fn refuse_origin(&self, origin: &str, host: Option<&str>) {
        if let Some(so_far) = self.0.refused_origins.note() {
            warn!(
                so_far,
                origin,
                host,
                "request from another origin refused (if it is yours: a proxy that changes Host, or --cors-origin)"
            );
        }
    }

    /// Counts, for operators.
    pub(crate) fn status(&self) -> ClientStatus {
        ClientStatus {
            connections: self.admissions().connections().into(),
            refused_by_node: self.0.refused_by_node.count(),
            refused_by_address: self.0.refused_by_address.count(),
            refused_bodies: self.0.refused_bodies.count(),
            refused_origins: self.0.refused_origins.count(),
        }
    }

    /// The address to count somebody for; see [`AdmissionLimits`].
    fn counted(&self, address: IpAddr, is_proxy: bool) -> Option<AddressGroup> {
        (!is_proxy && !address.to_canonical().is_loopback()).then(|| AddressGroup::of(address))
    }

    fn enter(&self, address: Option<AddressGroup>, place: Place) -> Result<Held, TooMany> {
        let entered = self.admissions().enter(address, place, Instant::now());
        match entered {
            Ok(counted) => Ok(Held {
                gate: self.clone(),
                counted,
                place,
            }),
            Err(refused) => Err(self.refuse(refused, address)),
        }
    }

    fn refuse(&self, refused: Refused, address: Option<AddressGroup>) -> TooMany {
        match refused {
            Refused::Node { retry_after } => {
                if let Some(so_far) = self.0.refused_by_node.note() {
                    warn!(so_far, "clients refused: the node's connection limit is reached");
                }
                TooMany::AtNode { retry_after }
            }
            Refused::Address { retry_after } => {
                if let Some(so_far) = self.0.refused_by_address.note() {
                    let address = address.map(|address| address.to_string());
                    warn!(
                        so_far,
                        address,
                        "clients refused: too many from one address (name a balancer by --trust-proxy)"
                    );
                }
                TooMany::FromAddress { retry_after }
            }
        }
    }

    fn admissions(&self) -> MutexGuard<'_, Admissions> {
        // Counts are right at every moment, whoever panicked.
        self.0.admissions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate
            .admissions()
            .leave(self.counted, self.place, Instant::now());
    }
}

/// How soon a body that has no room now may have some.
const BODY_RETRY: Duration = Duration::from_secs(1);

impl From<NoRoom> for TooMany {
    fn from(NoRoom: NoRoom) -> Self {
        Self::AtNode {
            retry_after: BODY_RETRY,
        }
    }
}

impl TooMany {
    /// The status that says so: 429 (RFC 6585) or 503.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::AtNode { .. } => 503,
            Self::FromAddress { .. } => 429,
        }
    }

    /// What to tell the client in `Retry-After`: whole seconds, at least one.
    pub fn retry_after(&self) -> u64 {
        let (Self::AtNode { retry_after } | Self::FromAddress { retry_after }) = self;
        retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0 || retry_after.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn gate() -> Gate {
        Gate::new(&AdmissionLimits {
            trusted_proxies: "10.0.0.1".parse().unwrap(),
            connections_per_address: NonZeroU32::new(1),
            ..AdmissionLimits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let gate = gate();
        let first = gate.connect(ip("192.0.2.1")).unwrap();
        let handed_on = first.clone();
        let refused = gate.connect(ip("192.0.2.1")).unwrap_err();
        assert_eq!((refused.http_status(), refused.retry_after()), (429, 5));
        drop(first);
        assert!(gate.connect(ip("192.0.2.1")).is_err());
        drop(handed_on);
        assert!(gate.connect(ip("192.0.2.1")).is_ok());
        let status = gate.status();
        assert_eq!((status.connections, status.refused_by_address), (0, 2));
    }

    #[test]
    fn proxies_and_loopback_count_for_no_address() {
        let gate = gate();
        let _held = ["10.0.0.1", "10.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::1"]
            .map(|peer| gate.connect(ip(peer)).unwrap());
        assert_eq!(gate.status().connections, 6);
    }
}
