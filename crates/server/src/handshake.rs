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

    /// The address of the peer of the connection: the client, or the proxy before it. Unknown where the router is
    /// served without connection info.
    pub fn remote(&self) -> Option<IpAddr> {
        self.remote
    }

    /// The node at which the request landed.
    pub fn ingress(&self) -> Option<&NodeName> {
        self.ingress.as_ref()
    }
}
