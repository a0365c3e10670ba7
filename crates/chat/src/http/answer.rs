//! Answers over HTTP: the same objects as acknowledgements have.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::refusal::{Code, Refusal};

#[derive(Serialize)]
struct Accepted<T> {
    ok: bool,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Refused {
    ok: bool,
    error: Refusal,
}

#[derive(Serialize)]
pub(super) struct Nothing {}

/// What was asked for, in an object that says that it was done.
pub(super) fn accepted(content: impl Serialize) -> Response {
    private(Json(Accepted { ok: true, content }).into_response())
}

/// Nobody between is to keep what is one person's.
fn private(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            Code::BadRequest | Code::InvalidName | Code::WeakPassword => StatusCode::BAD_REQUEST,
            Code::NotSignedIn | Code::WrongCredentials => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Conflict => StatusCode::CONFLICT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Limited => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let retry_after = self.retry_after_ms.map(|ms| HeaderValue::from(ms.div_ceil(1000)));
        let body = Json(Refused {
            ok: false,
            error: self,
        });
        let mut response = private((status, body).into_response());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
