//! Proxies whose word is taken for whom they speak for.

use std::{net::IpAddr, str::FromStr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The addresses of proxies that are trusted to say for whom they speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Text that names no network.
#[derive(Debug, thiserror::Error)]
#[error("a proxy is an address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8")]
pub struct InvalidProxy;

impl TrustedProxies {
    /// These networks or single addresses, such as `10.0.0.0/8` or `::1`.
    ///
    /// # Errors
    /// When one is neither.
    pub fn new<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidProxy> {
        let networks = networks.into_iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self(networks))
    }

    /// Whether the proxy at this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of a client whose request came from `peer`: as the `X-Forwarded-For` of a trusted proxy says, else `peer`.
    pub fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let lines: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            // What is not text is no address either.
            .map(|line| line.to_str().unwrap_or_default())
            .collect();
        self.client(peer, lines.into_iter())
    }

    /// The client, by the `X-Forwarded-For` that came from a trusted proxy at `peer`: the last address that is not one of
    /// such a proxy, for what is before it anybody can have written. Where an entry is none, whoever passed it on.
    fn client<'a>(&self, peer: IpAddr, forwarded_for: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut client = peer;
        for entry in forwarded_for.rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = address(entry.trim()) else {
                return client;
            };
            client = address;
            if !self.contains(client) {
                return client;
            }
        }
        client
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxy;

    /// One network or address.
    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        Self::new([text])
    }
}

impl FromIterator<Self> for TrustedProxies {
    /// All of them.
    fn from_iter<T: IntoIterator<Item = Self>>(parts: T) -> Self {
        Self(parts.into_iter().flat_map(|part| part.0).collect())
    }
}

fn network(text: &str) -> Result<IpNet, InvalidProxy> {
    text.parse()
        .or_else(|_| {
            text.parse()
                .map(|address: IpAddr| IpNet::from(address.to_canonical()))
        })
        .map_err(|_| InvalidProxy)
}

/// An entry of `X-Forwarded-For`: some proxies add the port, and put IPv6 into brackets for it.
fn address(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = entry.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let bare = entry.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().copied()).unwrap()
    }

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[&str]) -> String {
        proxies
            .client(peer.parse().unwrap(), lines.iter().copied())
            .to_string()
    }

    #[test]
    fn networks_and_single_addresses() {
        let proxies = proxies(&["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"]);
        for inside in ["10.255.0.1", "192.0.2.7", "::ffff:10.0.0.1", "fd12::1", "::1"] {
            assert!(proxies.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "fe80::1", "::2"] {
            assert!(!proxies.contains(outside.parse().unwrap()), "{outside}");
        }
        for wrong in ["", "10.0.0.0/33", "balancer", "10.0.0.1:80"] {
            let error = wrong.parse::<TrustedProxies>().unwrap_err().to_string();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn the_last_that_is_no_trusted_proxy_is_the_client() {
        let proxies = proxies(&["10.0.0.0/8"]);
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
            (&["1.1.1.1, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["1.1.1.1", "192.0.2.1 ,10.0.0.2"], "192.0.2.1"),
            (&["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            (&["192.0.2.1, unknown"], "10.0.0.1"),
            (&["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
        ] {
            assert_eq!(client(&proxies, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }
}
