//! Whether a request that changes something comes from this site: other sites must not act for who is signed in here.

use axum::http::{HeaderMap, header};

/// Whether a browser says that a page of this site makes the request, or no page. Programs other than browsers say nothing,
/// and have no cookies that another site could use.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"))
    };
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match text(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(header::HOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own_with(headers: &[(&'static str, &'static str)]) -> bool {
        let header = |(name, value): &(&'static str, &'static str)| {
            (
                name.parse::<header::HeaderName>().unwrap(),
                value.parse().unwrap(),
            )
        };
        is_own(&headers.iter().map(header).collect())
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "chat.example");
        for own in [
            &[host][..],
            &[host, ("origin", "https://chat.example")],
            &[
                host,
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://behind.a.proxy"),
            ],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(is_own_with(own), "{own:?}");
        }
        for other in [
            &[host, ("origin", "https://evil.example")][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "https://chat.example.evil.example")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[
                host,
                ("sec-fetch-site", "same-site"),
                ("origin", "https://chat.example"),
            ],
            &[("origin", "https://chat.example")],
        ] {
            assert!(!is_own_with(other), "{other:?}");
        }
    }
}
