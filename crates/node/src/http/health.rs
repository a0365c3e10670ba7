//! What operators and balancers ask: `/health` and `/status`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hither::{StatusReader, cluster::Phase};

use super::NOT_STORED;

/// Whether all doors are open. A node is healthy only then, so that who waits for its health finds its fronts open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// All doors are open.
    pub(crate) fn declare(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_declared(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `/health` is 200 while the node is *up*, and 503 with its phase otherwise; `/status` is how the node is, as JSON.
pub(crate) fn health(status: StatusReader, readiness: Readiness) -> Router {
    let phase_of = status.clone();
    Router::new()
        .route(
            "/health",
            get(async move || health_of(phase_of.read().phase, readiness.is_declared())),
        )
        .route("/status", get(async move || status_of(&status)))
}

fn health_of(phase: Phase, ready: bool) -> Response {
    let (code, text) = match phase {
        Phase::Up if ready => (StatusCode::OK, "up\n"),
        Phase::Joining | Phase::Up => (StatusCode::SERVICE_UNAVAILABLE, "joining\n"),
        Phase::Leaving => (StatusCode::SERVICE_UNAVAILABLE, "leaving\n"),
    };
    (code, [NOT_STORED], text).into_response()
}

fn status_of(status: &StatusReader) -> Response {
    match serde_json::to_string(&status.read()) {
        Ok(json) => {
            let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            ([content_type, NOT_STORED], json).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_node_that_is_up_is_healthy() {
        assert_eq!(health_of(Phase::Up, true).status(), StatusCode::OK);
        for (phase, ready) in [(Phase::Up, false), (Phase::Joining, true), (Phase::Leaving, true)] {
            assert_eq!(
                health_of(phase, ready).status(),
                StatusCode::SERVICE_UNAVAILABLE,
                "{phase:?}"
            );
        }
    }
}
