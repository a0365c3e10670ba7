//! Why a request gets no answer from its session, as HTTP.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hither_engineio::Refusal;

use crate::limits::TooMany;

/// Why a request gets no answer from its session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// As the reference server refuses it.
    Refused(Refusal),
    /// The session's owner did not answer. This says nothing about the session, so it must not read as if it did.
    OutOfReach,
    /// There is too much of what is asked for.
    TooMany(TooMany),
    /// The session answered what makes no sense; a defect of the server.
    Defect,
    /// The body is longer than `maxPayload`.
    BodyTooLarge,
    /// The body did not come.
    BodyTimedOut,
    /// The headers are more than a session can keep.
    HeadersTooLarge,
    /// The client speaks a version of WebSocket that we do not (RFC 6455, 4.4).
    WebSocketVersion,
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<TooMany> for Denial {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
                json(status, refusal.body())
            }
            // Not one of Engine.IO's codes: none of them says that it is worth asking again.
            Self::OutOfReach => again_later(503, "Session out of reach", 1),
            Self::TooMany(too_many) => again_later(
                too_many.http_status(),
                &too_many.to_string(),
                too_many.retry_after(),
            ),
            Self::Defect => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT.into_response(),
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
            Self::WebSocketVersion => {
                let mut answer = Self::Refused(Refusal::BadRequest).into_response();
                answer
                    .headers_mut()
                    .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                answer
            }
        }
    }
}

/// A refusal that says after how many seconds it is worth asking again.
fn again_later(status: u16, message: &str, seconds: u64) -> Response {
    let body = format!(r#"{{"code":{status},"message":"{message}"}}"#);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut answer = json(status, body);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    answer
}

fn json(status: StatusCode, body: impl IntoResponse) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
