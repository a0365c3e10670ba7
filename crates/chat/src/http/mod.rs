//! What the chat serves over HTTP: accounts and files for the page, the API for programs, webhooks.

mod account;
mod answer;
mod hooks;
mod programs;
mod uploads;
mod visit;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header,
    response::IntoResponse,
    routing::{get, post},
};

use crate::service::Service;

/// Bytes that a body of a request may have, unless it is a file.
const MAX_BODY: usize = 64 << 10;
/// What the API for programs is, for programs.
const OPENAPI: &str = include_str!("openapi.json");

pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/session", get(account::session))
        .route("/api/session/sign-up", post(account::sign_up))
        .route("/api/session/sign-in", post(account::sign_in))
        .route("/api/session/guest", post(account::guest))
        .route("/api/session/sign-out", post(account::sign_out))
        .route(
            "/api/session/sign-out-everywhere",
            post(account::sign_out_everywhere),
        )
        .route("/api/account/password", post(account::password))
        .route("/api/account/delete", post(account::delete))
        .route("/api/account/token", post(account::token))
        .route("/api/account/token/revoke", post(account::revoke_token))
        .route("/api/v1/rooms", get(programs::rooms))
        .route(
            "/api/v1/rooms/{room}/messages",
            get(programs::history).post(programs::send),
        )
        .route("/api/uploads", post(uploads::upload))
        .route("/api/uploads/{id}", get(uploads::file))
        .route("/api/uploads/{id}/thumbnail", get(uploads::thumbnail))
        .route("/api/hooks/{secret}", post(hooks::say))
        .route("/api/openapi.json", get(openapi))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(service)
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
