//! Long-polling: a GET opens a session or pulls, a POST pushes.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use hither_cluster::Key;
use hither_engineio::{Frame, Refusal, payload};
use tokio::runtime::Handle;
use tracing::{debug, error, info};

use super::{
    Backend, Ingress, OPEN_TIMEOUT, REQUESTS, ShortSid, close_connection,
    denial::Denial,
    introduction,
    jsonp::{self, Jsonp},
    progress,
    requester::Requester,
};
use crate::{
    limits::{BodyError, TooMany},
    request::{OpenTransport, RequestId, SessionReply, SessionRequest},
};

/// How long a session may take to make room for what a client posted. Clients lose patience about then.
const PUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer than a whole heartbeat a poll may hang. The session answers it sooner, with a ping or by closing.
const POLL_MARGIN: Duration = Duration::from_secs(10);

impl<B: Backend> Ingress<B> {
    /// Opens a session with the client's first poll.
    pub(super) async fn open_polling(
        &self,
        parts: &Parts,
        requester: &Requester,
        script: Option<Jsonp>,
    ) -> Result<Response, Denial> {
        let handshake = introduction::read(parts, requester.address, self.backend.node())?;
        let sid = self.backend.mint();
        info!(
            target: REQUESTS,
            sid = %ShortSid(&sid),
            owner = self.owner(&sid),
            remote = handshake.remote.map(tracing::field::display),
            "connection by polling"
        );
        let (id, service, transport) = (RequestId::random(), self.service, OpenTransport::Polling);
        let hanging = HangingPoll::new(&self.backend, &sid, id);
        let request = SessionRequest::Open {
            id,
            service,
            transport,
            handshake,
        };
        let reply = self.ask(&sid, request, OPEN_TIMEOUT).await;
        match hanging.answered(reply)? {
            SessionReply::Opened(frames) => Ok(payload_of(&frames, script.as_ref())),
            _ => Err(unfit("open")),
        }
    }

    /// Waits for what the session has to say.
    pub(super) async fn poll(&self, sid: Key, script: Option<Jsonp>) -> Result<Response, Denial> {
        info!(target: REQUESTS, sid = %ShortSid(&sid), owner = self.owner(&sid), "poll");
        let id = RequestId::random();
        let engine = &self.backend.config().engine;
        let patience = engine.ping_interval + engine.ping_timeout + POLL_MARGIN;
        let hanging = HangingPoll::new(&self.backend, &sid, id);
        let service = self.service;
        let pull = |may_hang| {
            let pull = SessionRequest::Pull {
                id,
                service,
                may_hang,
            };
            self.ask(&sid, pull, patience)
        };
        let leaving = self.backend.leaving();
        let reply = if leaving.is_cancelled() {
            pull(false).await
        } else {
            tokio::select! {
                biased;
                reply = pull(true) => reply,
                // Asked again under its id, the poll gets its answer, wherever its session is by then.
                () = leaving.cancelled() => pull(false).await,
            }
        };
        match hanging.answered(reply)? {
            SessionReply::Pulled(frames) => Ok(payload_of(&frames, script.as_ref())),
            _ => Err(unfit("pull")),
        }
    }

    /// Hands what the client posted to the session.
    pub(super) async fn push(
        &self,
        sid: &Key,
        script: Option<Jsonp>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Denial> {
        let body = progress::watched(&self.backend, sid, body);
        let limit = self.backend.config().engine.max_payload;
        // Its room is held until the session has taken it.
        let (body, _room) = match self.backend.gate().read_body(headers, body, limit).await {
            Ok(read) => read,
            Err(BodyError::TooLarge) => return Ok(self.refuse_body(sid).await),
            Err(error) => {
                // The rest of the body is not read, so the connection cannot go on.
                let mut answer = unread(error, sid).into_response();
                close_connection(&mut answer);
                return Ok(answer);
            }
        };
        info!(
            target: REQUESTS,
            sid = %ShortSid(sid),
            owner = self.owner(sid),
            bytes = body.len(),
            "push"
        );
        let done = || answer(HeaderValue::from_static("text/html"), "ok");
        let body = match script {
            None => body,
            Some(_) => match jsonp::payload_of_form(&body) {
                Some(payload) => payload,
                None => return Ok(done()),
            },
        };
        let request = SessionRequest::Push {
            id: RequestId::random(),
            service: self.service,
            body,
        };
        match self.ask(sid, request, PUSH_TIMEOUT).await? {
            SessionReply::Done => Ok(done()),
            _ => Err(unfit("push")),
        }
    }

    /// Tells the session that its client broke `maxPayload`, and the client the same. The rest of the body is not
    /// read, so the connection cannot go on.
    async fn refuse_body(&self, sid: &Key) -> Response {
        info!(target: REQUESTS, sid = %ShortSid(sid), owner = self.owner(sid), "push over maxPayload");
        let request = SessionRequest::PushTooLarge {
            service: self.service,
        };
        let denial = match self.ask(sid, request, PUSH_TIMEOUT).await {
            Ok(_) => Denial::BodyTooLarge,
            Err(denial) => denial,
        };
        let mut answer = denial.into_response();
        close_connection(&mut answer);
        answer
    }

    pub(super) fn owner(&self, sid: &Key) -> Option<String> {
        self.backend.owner_of(sid).map(String::from)
    }
}

/// Notices when the client drops a poll: axum then drops the future that waits for the reply.
struct HangingPoll<'a, B: Backend> {
    backend: &'a B,
    sid: &'a Key,
    id: RequestId,
    is_answered: bool,
}

impl<'a, B: Backend> HangingPoll<'a, B> {
    fn new(backend: &'a B, sid: &'a Key, id: RequestId) -> Self {
        Self {
            backend,
            sid,
            id,
            is_answered: false,
        }
    }

    /// A refused poll does not hang at its session, but one without an answer may.
    fn answered(mut self, reply: Result<SessionReply, Denial>) -> Result<SessionReply, Denial> {
        self.is_answered = !matches!(reply, Err(Denial::OutOfReach));
        reply
    }
}

impl<B: Backend> Drop for HangingPoll<'_, B> {
    fn drop(&mut self) {
        // Without a runtime the node has ended, and with it whom to tell.
        if let (false, Ok(runtime)) = (self.is_answered, Handle::try_current()) {
            let (backend, sid) = (self.backend.clone(), self.sid.clone());
            let cancel = SessionRequest::CancelPull { id: self.id };
            let telling = async move {
                debug!(sid = %ShortSid(&sid), "poll dropped by its client");
                if let Err(error) = backend.request(&sid, cancel, PUSH_TIMEOUT).await {
                    debug!(sid = %ShortSid(&sid), reason = super::why(&error), "a session was not notified of a dropped poll");
                }
            };
            self.backend.tasks().spawn_on(telling, &runtime);
        }
    }
}

/// What is answered when a body cannot be handed on.
fn unread(error: BodyError, sid: &Key) -> Denial {
    match error {
        BodyError::TooLarge => Denial::BodyTooLarge,
        BodyError::TooSlow => Denial::BodyTimedOut,
        BodyError::NoRoom(no_room) => TooMany::from(no_room).into(),
        BodyError::Broken(error) => {
            debug!(sid = %ShortSid(sid), %error, "request body ended early");
            Refusal::BadRequest.into()
        }
    }
}

fn payload_of(frames: &[Frame], script: Option<&Jsonp>) -> Response {
    let payload = payload::encode(frames);
    match script {
        None => answer(HeaderValue::from_static("text/plain; charset=UTF-8"), payload),
        Some(script) => script.script(&payload),
    }
}

fn answer(content_type: HeaderValue, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

fn unfit(request: &'static str) -> Denial {
    error!(request, "a session's reply does not match its request");
    Denial::Defect
}
