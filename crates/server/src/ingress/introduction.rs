//! What a client tells with the request that opens its session.

use std::net::IpAddr;

use axum::http::request::Parts;
use hither_cluster::NodeName;

use super::denial::Denial;
use crate::handshake::{Handshake, KEPT_HEADERS};

/// Bytes of query and headers that a session keeps for its life, and takes along when it moves. As much as Node.js
/// reads of all headers.
const MAX_KEPT: usize = 16 << 10;

/// Reads what the session keeps of its first request.
pub(super) fn read(parts: &Parts, remote: Option<IpAddr>, ingress: &NodeName) -> Result<Handshake, Denial> {
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = KEPT_HEADERS
        .iter()
        .flat_map(|&name| parts.headers.get_all(name).iter().map(move |value| (name, value)))
        .map(|(name, value)| {
            (
                name.to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let kept = query.len()
        + headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>();
    if kept > MAX_KEPT {
        return Err(Denial::HeadersTooLarge);
    }
    Ok(Handshake {
        query,
        headers,
        remote,
        ingress: Some(ingress.clone()),
    })
}
