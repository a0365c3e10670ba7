//! The handshake that turns HTTP into WebSocket (RFC 6455, 4.2).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hither_engineio::Refusal;
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

use crate::ingress::denial::Denial;

/// Bytes of the nonce in `Sec-WebSocket-Key`.
const NONCE_LENGTH: usize = 16;

/// A client's wish to go on as a WebSocket, well-formed.
pub(in crate::ingress) struct UpgradeRequest {
    accept: HeaderValue,
    protocol: Option<HeaderValue>,
    on_upgrade: OnUpgrade,
}

/// Whether a request asks for a WebSocket, well or not. Offers of other protocols are none, and proxies that send
/// `Connection: upgrade` with every request do not ask for one either.
pub(in crate::ingress) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().eq_ignore_ascii_case(token))
}

impl UpgradeRequest {
    /// Takes the wish out of a request that [wants](is_wanted) a WebSocket.
    pub(in crate::ingress) fn take(parts: &mut Parts) -> Result<Self, Denial> {
        let headers = &parts.headers;
        if headers
            .get(header::SEC_WEBSOCKET_VERSION)
            .is_none_or(|version| version != "13")
        {
            return Err(Denial::WebSocketVersion);
        }
        let key = headers
            .get(header::SEC_WEBSOCKET_KEY)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        let is_nonce = STANDARD
            .decode(key)
            .is_ok_and(|nonce| nonce.len() == NONCE_LENGTH);
        let accept = HeaderValue::try_from(derive_accept_key(key)).map_err(|_| Refusal::BadRequest)?;
        // Browsers drop a socket that takes none of the subprotocols that they offered, so the first will do.
        let protocol = headers
            .get(header::SEC_WEBSOCKET_PROTOCOL)
            .and_then(|offered| offered.to_str().ok()?.split(',').next())
            .and_then(|first| HeaderValue::from_str(first.trim()).ok());
        match parts.extensions.remove::<OnUpgrade>() {
            Some(on_upgrade) if is_nonce && parts.method == Method::GET => Ok(Self {
                accept,
                protocol,
                on_upgrade,
            }),
            _ => Err(Refusal::BadRequest.into()),
        }
    }

    /// The answer that grants the wish, and the connection once that is sent.
    pub(super) fn accept(self) -> (Response, OnUpgrade) {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        (answer, self.on_upgrade)
    }
}
