//! What can be set.

use std::num::NonZeroU32;

use super::TrustedProxies;

/// How often something may happen: so often a second in the long run, and so often at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Times a second.
    pub per_second: NonZeroU32,
    /// Times at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So often a second, and so often at once.
    pub const fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { per_second, burst }
    }

    /// So often a second, and ten times as often at once.
    pub const fn per_second(per_second: NonZeroU32) -> Self {
        Self::new(per_second, per_second.saturating_mul(TEN))
    }
}

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// How much clients may ask of a node. None is no limit.
///
/// Over a limit that an address has reached clients are answered 429, over one that the node has reached 503, both with
/// `Retry-After`. An address is an IPv4 address or the /64 of an IPv6 address, which is what one customer has of a
/// provider. Behind a proxy it is what the proxy says, if that is one of the [trusted](Self::trusted_proxies). What comes
/// from loopback without such a word counts for no address: it is a proxy that nobody named, or somebody on the machine.
#[derive(Clone, Debug)]
pub struct AdmissionLimits {
    /// Whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: TrustedProxies,
    /// Connections at this node, WebSockets included, as far as whoever accepts them asks the [`Gate`](super::Gate).
    pub connections: Option<NonZeroU32>,
    /// Connections of one address, and requests under way and WebSockets of one address.
    pub connections_per_address: Option<NonZeroU32>,
    /// Sessions that may be opened at this node.
    pub opens: Option<Rate>,
    /// Sessions that may be opened from one address.
    pub opens_per_address: Option<Rate>,
    /// Bytes of request bodies that the node holds at a time, those that sessions have not taken yet included. A quarter of
    /// it is for bodies of 16 KiB and less, so that the large ones do not keep them out.
    pub body_bytes: usize,
}

/// A company behind one address has fewer at one node.
const CONNECTIONS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(2_000).unwrap();
/// Half a core's work, and ten times as many at once: when another node goes, its clients come.
const OPENS: NonZeroU32 = NonZeroU32::new(5_000).unwrap();
/// The company again, all of which comes back at once.
const OPENS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(200).unwrap();
const BODY_BYTES: usize = 64 << 20;

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            trusted_proxies: TrustedProxies::default(),
            connections: None,
            connections_per_address: Some(CONNECTIONS_PER_ADDRESS),
            opens: Some(Rate::per_second(OPENS)),
            opens_per_address: Some(Rate::per_second(OPENS_PER_ADDRESS)),
            body_bytes: BODY_BYTES,
        }
    }
}
