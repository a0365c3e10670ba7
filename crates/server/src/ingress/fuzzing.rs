//! What the fuzz targets reach of the ingress.

use std::net::SocketAddr;

use axum::{
    extract::ConnectInfo,
    http::{HeaderName, HeaderValue, Request},
};

pub use super::websocket::fuzzing::frames;
use super::{asked, origin, requester::Requester};
use crate::config::CorsOrigins;

/// Reads a request: its query on the first line, then a header on each.
pub fn request(text: &str) {
    let mut lines = text.lines();
    let target = format!("/socket.io/?{}", lines.next().unwrap_or_default());
    let Ok(request) = Request::builder().uri(target).body(()) else {
        return;
    };
    let (mut parts, ()) = request.into_parts();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            parts.headers.append(name, value);
        }
    }
    let loopback = SocketAddr::from(([127, 0, 0, 1], 4711));
    parts.extensions.insert(ConnectInfo(loopback));
    let Ok(proxies) = "127.0.0.0/8".parse() else {
        return;
    };
    let requester = Requester::of(&parts, &proxies);
    let listed = CorsOrigins::Listed(vec!["https://app.example".to_owned()]);
    let by_list = origin::is_allowed(&parts.headers, &requester, &listed);
    if origin::is_allowed(&parts.headers, &requester, &CorsOrigins::SameOrigin) {
        assert!(by_list, "a list lets in less than none");
    }
    asked::read(&mut parts, true, |_| true).ok();
}
