//! Where clients land: HTTP and WebSocket on the one side, requests to sessions on the other.
//!
//! A client's request is read ([`asked`]), carried to its session wherever that lives, and answered with what the
//! session says ([`polling`], [`websocket`]) or with why it says nothing ([`denial`]). Nothing of a session is kept
//! here but its open sockets. Checks, their order and the answers are those of the reference server
//! (`packages/engine.io/lib/server.ts` of socketio/socket.io); every departure says why where it is made.

mod asked;
mod backend;
mod client_bundle;
mod client_stream;
mod cors;
mod denial;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod introduction;
mod jsonp;
mod origin;
mod polling;
mod progress;
mod request_lines;
mod requester;
mod short_sid;
#[cfg(test)]
mod tests;
mod websocket;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::any,
};
use hither_cluster::{Key, RequestError};
use hither_engineio::Refusal;
use tracing::{debug, warn};

use self::{
    asked::Asked, client_bundle::ClientFile, cors::CorsHeaders, denial::Denial, requester::Requester,
};
pub(crate) use self::{
    backend::Backend,
    short_sid::ShortSid,
    websocket::{CloseCode, SocketWriter, WriteOutcome},
};
pub use self::{client_stream::ClientStream, request_lines::RequestLines, requester::OverTls};
use crate::{
    limits::{Connection, Use},
    request::{ServiceIndex, SessionReply, SessionRequest},
};

/// The target of the log lines that say which node received what: one per request, so that they can be silenced
/// apart from the rest.
const REQUESTS: &str = "hither::requests";

/// How long a session may take to begin or to take a WebSocket. The stock client waits as long for a connection.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves one service under a path, with and without the trailing slash, and with anything behind it, as the reference
/// does: proxies add slashes, for example. At the root it leaves all other paths to others.
pub(crate) fn router<B: Backend>(backend: B, service: ServiceIndex, path: &str) -> Router {
    let path = path.trim_matches('/');
    let paths = match path {
        "" => vec!["/".to_owned()],
        path => vec![
            format!("/{path}"),
            format!("/{path}/"),
            format!("/{path}/{{*below}}"),
        ],
    };
    let base = paths
        .iter()
        .find(|path| path.ends_with('/'))
        .cloned()
        .unwrap_or_default();
    let ingress = Ingress {
        backend,
        service,
        base: base.into(),
    };
    paths
        .iter()
        .fold(Router::new(), |router, path| router.route(path, any(handle::<B>)))
        .with_state(ingress)
}

/// One service of this node.
#[derive(Clone)]
struct Ingress<B> {
    backend: B,
    service: ServiceIndex,
    /// Its path, with the trailing slash.
    base: Arc<str>,
}

/// The place that a request has at the node; a WebSocket keeps it.
struct Admission {
    _request: Use,
    /// None where whoever accepts connections does not ask for places.
    _connection: Option<Connection>,
}

async fn handle<B: Backend>(State(ingress): State<Ingress<B>>, request: Request) -> Response {
    let cors = CorsHeaders::new(
        &ingress.backend.config().cors,
        request.method(),
        request.headers(),
    );
    if let Some(cors) = &cors
        && request.method() == Method::OPTIONS
    {
        return cors.preflight();
    }
    let wants_websocket = websocket::is_wanted(request.headers());
    let mut answer = match ingress.client_file(&request) {
        Some(file) => file.answer(request.headers()),
        None => ingress
            .answer(request)
            .await
            .unwrap_or_else(Denial::into_response),
    };
    let upgraded = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !upgraded && (wants_websocket || ingress.backend.leaving().is_cancelled()) {
        // Who asked for a WebSocket does not go on with HTTP, and at a node that leaves the next request shall find another.
        close_connection(&mut answer);
    }
    if let Some(cors) = cors {
        cors.mark(&mut answer);
    }
    answer
}

impl<B: Backend> Ingress<B> {
    /// The file of the client that is asked for, if it is one.
    fn client_file(&self, request: &Request) -> Option<&'static ClientFile> {
        let has_files = self.service == ServiceIndex::SOCKET_IO && self.backend.config().client_bundle;
        let name = request.uri().path().strip_prefix(&*self.base)?;
        ClientFile::requested(request.method(), name).filter(|_| has_files)
    }

    async fn answer(&self, request: Request) -> Result<Response, Denial> {
        let (mut parts, body) = request.into_parts();
        let requester = Requester::of(&parts, self.backend.gate().trusted_proxies());
        let (asked, admission) = match self.admit(&mut parts, &requester) {
            Ok(admitted) => admitted,
            Err(denial) if body.is_end_stream() => return Err(denial),
            Err(denial) => {
                // Its body is not worth reading, so the connection cannot go on.
                let mut answer = denial.into_response();
                close_connection(&mut answer);
                return Ok(answer);
            }
        };
        match asked {
            Asked::OpenPolling(script) => self.open_polling(&parts, &requester, script).await,
            Asked::Poll(sid, script) => self.poll(sid, script).await,
            Asked::Push(sid, script) => self.push(&sid, script, &parts.headers, body).await,
            Asked::OpenWebSocket(upgrade) => {
                self.open_websocket(&parts, &requester, upgrade, admission).await
            }
            Asked::AttachWebSocket(sid, upgrade) => self.attach_websocket(sid, upgrade, admission).await,
        }
    }

    /// Reads what a request asks for, and whether it may.
    fn admit(&self, parts: &mut Parts, requester: &Requester) -> Result<(Asked, Admission), Denial> {
        let (backend, gate) = (&self.backend, self.backend.gate());
        let asked = asked::read(parts, backend.config().jsonp, |sid| backend.has_minted(sid))?;
        if asked.acts() && !origin::is_allowed(&parts.headers, requester, &backend.config().cors.origins) {
            let origin = parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
            let origin = String::from_utf8_lossy(origin.unwrap_or_default());
            gate.refuse_origin(&origin, requester.host.as_deref());
            return Err(Refusal::Forbidden.into());
        }
        let request = gate.request(requester.address)?;
        if asked.opens() {
            gate.open(requester.address)?;
        }
        let connection = parts.extensions.remove();
        Ok((
            asked,
            Admission {
                _request: request,
                _connection: connection,
            },
        ))
    }

    /// Asks a session. It refusing is an error here.
    async fn ask(
        &self,
        sid: &Key,
        request: SessionRequest,
        timeout: Duration,
    ) -> Result<SessionReply, Denial> {
        match self.backend.request(sid, request, timeout).await {
            Ok(SessionReply::Refused(refusal)) => {
                debug!(sid = %ShortSid(sid), %refusal, "request refused");
                Err(refusal.into())
            }
            Ok(reply) => Ok(reply),
            Err(error) => {
                warn!(sid = %ShortSid(sid), reason = why(&error), "no answer from the session");
                Err(Denial::OutOfReach)
            }
        }
    }
}

/// In words that do not name the session, for its id is a credential.
fn why(error: &RequestError) -> &'static str {
    match error {
        RequestError::TimedOut { obstacle, .. } => obstacle,
        RequestError::Overloaded(_) => "its owner has too many requests waiting",
        RequestError::Dropped(_) => "it ended while it was asked",
    }
}

fn close_connection(answer: &mut Response) {
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
}
