//! Whether the page that sends a request may act for the person in front of it.

use axum::http::{HeaderMap, HeaderValue, header};

use super::requester::Requester;
use crate::config::CorsOrigins;

/// Whether a request may open a session, post or become a WebSocket, by the page that it comes from.
///
/// Browsers send cookies along whichever page it is, do not ask before they open a WebSocket or post text, and name the
/// page's origin. Programs name none, and need no page to deceive anybody.
pub(super) fn is_allowed(headers: &HeaderMap, requester: &Requester, listed: &CorsOrigins) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    if *listed == CorsOrigins::Any {
        return true;
    }
    // Two are none that a browser would send.
    let Some(origin) = text(origin).filter(|_| origins.next().is_none()) else {
        return false;
    };
    let is_listed = |listed: &String| {
        origin.eq_ignore_ascii_case(listed)
            || Origin::parse(listed).is_some_and(|listed| Some(listed) == Origin::parse(origin))
    };
    match listed {
        CorsOrigins::Listed(listed) if listed.iter().any(is_listed) => true,
        _ => Origin::parse(origin).is_some_and(|origin| origin.is_of(requester)),
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// An origin with a host, in the form in which equal ones are equal.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// None for the scheme's own.
    port: Option<u16>,
}

impl Origin {
    /// None of what has no host, such as `null`.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = authority_of(authority, &scheme)?;
        Some(Self { scheme, host, port })
    }

    /// Whether it is the server that the requester believes to speak to. A scheme that is not known counts as the same.
    fn is_of(&self, requester: &Requester) -> bool {
        let is_scheme = requester
            .scheme
            .as_ref()
            .is_none_or(|scheme| *scheme == self.scheme);
        let host = requester
            .host
            .as_deref()
            .and_then(|host| authority_of(host, &self.scheme));
        is_scheme && host.is_some_and(|(host, port)| host == self.host && port == self.port)
    }
}

/// Host and port, without the port that goes without saying.
fn authority_of(authority: &str, scheme: &str) -> Option<(String, Option<u16>)> {
    // Colons within brackets are those of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
    is_host.then(|| {
        (
            host.to_ascii_lowercase(),
            port.filter(|port| Some(*port) != usual),
        )
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn allowed(origins: &[&str], host: &str, scheme: Option<&str>, listed: &CorsOrigins) -> bool {
        let headers = origins
            .iter()
            .map(|origin| {
                (
                    header::ORIGIN,
                    HeaderValue::from_bytes(origin.as_bytes()).unwrap(),
                )
            })
            .collect::<Vec<(HeaderName, HeaderValue)>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let requester = Requester {
            address: None,
            host: (!host.is_empty()).then(|| host.to_owned()),
            scheme: scheme.map(str::to_owned),
        };
        is_allowed(&map, &requester, listed)
    }

    fn listed() -> CorsOrigins {
        CorsOrigins::Listed(vec![
            "https://App.example:443".into(),
            "capacitor://localhost".into(),
        ])
    }

    #[test]
    fn the_servers_own_pages() {
        for (origin, host) in [
            ("http://chat.example", "chat.example"),
            ("https://chat.example", "chat.example"),
            ("https://chat.example", "CHAT.example"),
            ("HTTPS://Chat.Example", "chat.example"),
            ("https://chat.example", "chat.example:443"),
            ("http://chat.example", "chat.example:80"),
            ("http://chat.example:9001", "chat.example:9001"),
            ("http://[::1]:9001", "[::1]:9001"),
            ("http://[::1]", "[::1]"),
        ] {
            assert!(
                allowed(&[origin], host, None, &CorsOrigins::SameOrigin),
                "{origin} {host}"
            );
            assert!(allowed(&[origin], host, None, &listed()), "{origin} {host}");
        }
    }

    #[test]
    fn pages_of_others() {
        for (origin, host) in [
            ("https://evil.example", "chat.example"),
            ("https://chat.example.evil.example", "chat.example"),
            ("https://evilchat.example", "chat.example"),
            ("https://chat.example:8443", "chat.example"),
            ("https://chat.example", "chat.example:8443"),
            ("https://chat.example", "chat.example:80"),
            ("http://chat.example:443", "chat.example:80"),
            ("https://chat.example@evil.example", "chat.example"),
            ("https://chat.example/", "chat.example"),
            ("https://chat.example", ""),
            ("null", "chat.example"),
            ("null", "null"),
            ("", "chat.example"),
            ("://chat.example", "chat.example:x"),
            ("file://", ""),
            ("chat.example", "chat.example"),
            ("\u{e9}", "\u{e9}"),
        ] {
            assert!(
                !allowed(&[origin], host, None, &CorsOrigins::SameOrigin),
                "{origin} {host}"
            );
            assert!(!allowed(&[origin], host, None, &listed()), "{origin} {host}");
            assert!(
                allowed(&[origin], host, None, &CorsOrigins::Any),
                "{origin} {host}"
            );
        }
        let twice = ["https://chat.example", "https://chat.example"];
        assert!(!allowed(&twice, "chat.example", None, &CorsOrigins::SameOrigin));
    }

    #[test]
    fn programs_name_none() {
        assert!(allowed(&[], "chat.example", None, &CorsOrigins::SameOrigin));
        assert!(allowed(&[], "", None, &listed()));
    }

    #[test]
    fn where_the_scheme_is_known_it_counts() {
        let same = CorsOrigins::SameOrigin;
        assert!(allowed(
            &["https://chat.example"],
            "chat.example",
            Some("https"),
            &same
        ));
        assert!(!allowed(
            &["http://chat.example"],
            "chat.example",
            Some("https"),
            &same
        ));
    }

    #[test]
    fn listed_ones_in_any_spelling() {
        for origin in [
            "https://app.example",
            "https://app.example:443",
            "capacitor://localhost",
        ] {
            assert!(allowed(&[origin], "chat.example", None, &listed()), "{origin}");
        }
        assert!(!allowed(&["http://app.example"], "chat.example", None, &listed()));
        let null = CorsOrigins::Listed(vec!["null".into()]);
        assert!(allowed(&["null"], "chat.example", None, &null));
    }
}
