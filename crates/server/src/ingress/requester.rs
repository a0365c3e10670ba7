//! Who sends a request, and where he believes to send it.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};

use crate::limits::TrustedProxies;

/// Whoever serves the [router](crate::Server::router) over TLS puts this into the extensions of requests, so that a page's
/// `Origin` is compared with `https`, and cookies are marked `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverTls;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who sends a request, and where he believes to send it: as a trusted proxy says, else as the connection does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requester {
    /// The client's address; none where the router is served without connection info.
    pub(super) address: Option<IpAddr>,
    /// The host by which the client knows the server, with its port unless that goes without saying.
    pub(super) host: Option<String>,
    /// `http` or `https`; none if nobody knows, for a proxy may do TLS that nobody named.
    pub(super) scheme: Option<String>,
}

impl Requester {
    pub(super) fn of(parts: &Parts, proxies: &TrustedProxies) -> Self {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let headers = &parts.headers;
        let host = text(headers, &header::HOST).map(str::to_owned);
        let scheme = parts
            .extensions
            .get::<OverTls>()
            .map(|OverTls| "https".to_owned());
        let Some(proxy) = peer.filter(|peer| proxies.contains(*peer)) else {
            return Self {
                address: peer,
                host,
                scheme,
            };
        };
        Self {
            address: Some(proxies.client_of(proxy, headers)),
            host: last(headers, &FORWARDED_HOST).or(host),
            scheme: last(headers, &FORWARDED_PROTO)
                .map(|scheme| scheme.to_ascii_lowercase())
                .or(scheme),
        }
    }
}

/// What the last proxy said, which is the trusted one.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let said = line.rsplit(',').next()?.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value: &HeaderValue| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn requester(peer: &str, headers: &[(&str, &str)]) -> Requester {
        Requester::of(&parts(peer, headers), &"10.0.0.1".parse().unwrap())
    }

    fn parts(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| {
            request.header(*name, *value)
        });
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts
            .extensions
            .insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
        parts
    }

    const HEADERS: [(&str, &str); 4] = [
        ("host", "upstream:9001"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "made-up.example, chat.example"),
        ("x-forwarded-proto", "HTTPS"),
    ];

    #[test]
    fn a_trusted_proxy_is_believed() {
        let expected = Requester {
            address: Some("192.0.2.1".parse().unwrap()),
            host: Some("chat.example".to_owned()),
            scheme: Some("https".to_owned()),
        };
        assert_eq!(requester("10.0.0.1", &HEADERS), expected);
        assert_eq!(requester("::ffff:10.0.0.1", &HEADERS), expected);
    }

    #[test]
    fn nobody_else_is() {
        let expected = Requester {
            address: Some("10.0.0.2".parse().unwrap()),
            host: Some("upstream:9001".to_owned()),
            scheme: None,
        };
        assert_eq!(requester("10.0.0.2", &HEADERS), expected);
    }

    #[test]
    fn who_comes_by_tls_comes_by_https() {
        let by_tls = |peer: &str, headers: &[(&str, &str)]| {
            let mut parts = parts(peer, headers);
            parts.extensions.insert(OverTls);
            Requester::of(&parts, &"10.0.0.1".parse().unwrap()).scheme
        };
        assert_eq!(by_tls("10.0.0.2", &HEADERS).as_deref(), Some("https"));
        assert_eq!(by_tls("10.0.0.1", &[]).as_deref(), Some("https"));
        let forwarded = [("x-forwarded-proto", "http")];
        assert_eq!(by_tls("10.0.0.1", &forwarded).as_deref(), Some("http"));
    }

    #[test]
    fn what_a_proxy_does_not_say_is_taken_from_the_request() {
        let expected = Requester {
            address: Some("10.0.0.1".parse().unwrap()),
            host: Some("chat.example".to_owned()),
            scheme: None,
        };
        assert_eq!(requester("10.0.0.1", &[("host", "chat.example")]), expected);
    }
}
