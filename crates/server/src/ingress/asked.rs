//! What a request asks for.

use axum::{
    extract::Query,
    http::{Method, Uri, request::Parts},
};
use hither_cluster::Key;
use hither_engineio::{Refusal, TransportName, check_revision};

use super::{
    denial::Denial,
    jsonp::Jsonp,
    websocket::{self, UpgradeRequest},
};

/// What a request asks for, as far as it can be told without asking the session.
pub(super) enum Asked {
    /// A new session that polls, perhaps by scripts.
    OpenPolling(Option<Jsonp>),
    /// What the session has to say.
    Poll(Key, Option<Jsonp>),
    /// To hand the body to the session.
    Push(Key, Option<Jsonp>),
    /// A new session on a WebSocket.
    OpenWebSocket(UpgradeRequest),
    /// A WebSocket for a session that polls.
    AttachWebSocket(Key, UpgradeRequest),
}

impl Asked {
    /// Whether it does more than to hear what there is to say.
    pub(super) fn acts(&self) -> bool {
        !matches!(self, Self::Poll(..))
    }

    /// Whether it is a new session that is asked for.
    pub(super) fn opens(&self) -> bool {
        matches!(self, Self::OpenPolling(_) | Self::OpenWebSocket(_))
    }
}

/// Reads a request. The checks come in the order of the reference server, whose `EIO` counts only where a session
/// opens. A session id that no node has minted is unknown here already, at no cost to whom it would belong: `has_minted`
/// knows.
///
/// Departures: an Upgrade request for polling is refused instead of being upgraded and dropped, for it must not be
/// served as a poll either; and a method that polling does not have is 400 on a session as it is without one, not 500.
pub(super) fn read(
    parts: &mut Parts,
    allows_jsonp: bool,
    has_minted: impl FnOnce(&str) -> bool,
) -> Result<Asked, Denial> {
    let query = EngineQuery::of(&parts.uri);
    let transport: TransportName = query.transport.as_deref().unwrap_or_default().parse()?;
    let script = query.script.filter(|_| transport == TransportName::Polling);
    if script.is_some() && !allows_jsonp {
        return Err(Refusal::UnknownTransport.into());
    }
    let script = script.as_deref().map(Jsonp::of_query);
    let fits_transport = websocket::is_wanted(&parts.headers) == (transport == TransportName::WebSocket);
    let Some(sid) = query.sid else {
        if parts.method != Method::GET {
            return Err(Refusal::BadHandshakeMethod.into());
        }
        if !fits_transport {
            return Err(Refusal::BadRequest.into());
        }
        check_revision(query.revision.as_deref())?;
        return Ok(match transport {
            TransportName::Polling => Asked::OpenPolling(script),
            TransportName::WebSocket => Asked::OpenWebSocket(UpgradeRequest::take(parts)?),
        });
    };
    if !has_minted(&sid) {
        return Err(Refusal::UnknownSid.into());
    }
    let sid = Key::from(sid);
    if !fits_transport {
        return Err(Refusal::BadRequest.into());
    }
    match (transport, &parts.method) {
        (TransportName::Polling, &Method::GET) => Ok(Asked::Poll(sid, script)),
        (TransportName::Polling, &Method::POST) => Ok(Asked::Push(sid, script)),
        (TransportName::Polling, _) => Err(Refusal::BadRequest.into()),
        (TransportName::WebSocket, _) => Ok(Asked::AttachWebSocket(sid, UpgradeRequest::take(parts)?)),
    }
}

/// The parameters of the query that mean something. Of one that is repeated the last counts.
#[derive(Default)]
struct EngineQuery {
    revision: Option<String>,
    transport: Option<String>,
    /// An empty one is as good as none.
    sid: Option<String>,
    /// Which function of the page takes what is polled, if it polls by scripts.
    script: Option<String>,
}

impl EngineQuery {
    fn of(uri: &Uri) -> Self {
        let mut query = Self::default();
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
        // Any query is a list of pairs, however odd; were one not, its parameters would be missing.
        for (name, value) in pairs.unwrap_or_default() {
            match name.as_str() {
                "EIO" => query.revision = Some(value),
                "transport" => query.transport = Some(value),
                "j" => query.script = Some(value),
                "sid" => query.sid = (!value.is_empty()).then_some(value),
                _ => {}
            }
        }
        query
    }
}
