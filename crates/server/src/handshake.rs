//! What a client told with its first request.

use std::net::IpAddr;

use hither_cluster::NodeName;
use serde::{Deserialize, Serialize};

/// The headers that a session keeps of its first request; others are not carried between nodes.
pub(crate) const KEPT_HEADERS: [&str; 7] = [
    "authorization",
    "cookie",
    "origin",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "accept-language",
];

/// What a client told with the request that opened its session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) remote: Option<IpAddr>,
    pub(crate) ingress: Option<NodeName>,
}

impl Handshake {
    /// Bytes held.
    pub(crate) fn weight(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.query.len() + headers.sum::<usize>()
    }

    /// The query of the request, as it came.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The first header of that name (in lower case), among those that a session keeps: `authorization`, `cookie`,
    /// `origin`, `referer`, `user-agent`, `x-forwarded-for`, `accept-language`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The client's address, as a [trusted proxy](crate::AdmissionLimits::trusted_proxies) says, else that of the peer of the
    /// connection: the client, or a proxy before it that is not trusted. Unknown where the router is served without
    /// connection info.
    pub fn remote(&self) -> Option<IpAddr> {
        self.remote
    }

    /// The node at which the request landed.
    pub fn ingress(&self) -> Option<&NodeName> {
        self.ingress.as_ref()
    }
}
