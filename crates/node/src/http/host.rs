//! By which names operators' requests may ask for a node.
//!
//! A page from anywhere can have its own name resolve to this machine's loopback (DNS rebinding), and its browser then takes
//! what answers there for the page's own server: it may read all of it. Such a request bears the page's name in `Host`. An
//! address in `Host` is none of that kind, for nobody resolves it to another one.

use std::{net::IpAddr, str::FromStr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// A host name, in lower case, without the dot that may end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// A text that is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a host name without a port, such as node1.internal")]
pub struct HostNameError;

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = canonical(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if name.len() <= 253 && name.split('.').all(is_label) {
            Ok(Self(name))
        } else {
            Err(HostNameError)
        }
    }
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The names of a node among its operators, beside those of loopback.
#[derive(Clone, Debug)]
pub(crate) struct HostNames(Arc<[HostName]>);

impl HostNames {
    /// These, and those of loopback.
    pub(crate) fn new(names: &[HostName]) -> Self {
        Self(names.into())
    }

    fn admits(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else {
            return false;
        };
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.unwrap_or(host).parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = canonical(host);
        // Every name below it is loopback's, too (RFC 6761, 6.3).
        name == "localhost" || name.ends_with(".localhost") || self.0.iter().any(|known| known.0 == name)
    }
}

/// Refuses requests that name another host. Those that name none are not a browser's.
pub(super) async fn check(State(names): State<HostNames>, request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter();
    let mut hosts = hosts.map(HeaderValue::to_str);
    let admitted = hosts.all(|host| host.is_ok_and(|host| names.admits(host)))
        && request
            .uri()
            .authority()
            .is_none_or(|authority| names.admits(authority.as_str()));
    if admitted {
        next.run(request).await
    } else {
        (
            StatusCode::MISDIRECTED_REQUEST,
            "This node does not go by that host name: ask for it by an address, or name it with --admin-host\n",
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_loopback_and_names_that_were_given_are_admitted() {
        let names = HostNames::new(&["Node1.internal.".parse().unwrap()]);
        for host in [
            "127.0.0.1:10001",
            "127.0.0.1",
            "10.0.0.7:80",
            "[::1]:10001",
            "[::1]",
            "localhost:10001",
            "LOCALHOST.",
            "node1.localhost:8080",
            "node1.internal",
            "NODE1.internal.:10001",
        ] {
            assert!(names.admits(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:10001",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "node1.internal.evil.example",
            "2130706433.",
            "",
            "a b",
        ] {
            assert!(!names.admits(host), "{host}");
        }
    }

    #[test]
    fn names_are_names() {
        for text in ["node1", "node1.internal", "node_1.example.", "10.0.0.1"] {
            assert!(text.parse::<HostName>().is_ok(), "{text}");
        }
        for text in ["", ".", "a..b", "node1:80", "http://node1", "a b", "*"] {
            assert_eq!(text.parse::<HostName>(), Err(HostNameError), "{text}");
        }
    }
}
