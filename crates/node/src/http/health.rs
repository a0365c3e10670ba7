//! What balancers ask: `/health`. And what operators do: `/status`.

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hither::{StatusReader, cluster::Phase};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::NOT_STORED;

/// Whether clients are to come here. A node is healthy only when it listens at all its addresses, so that who waits for its health
/// finds its fronts open, and no longer when it is about to leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    traffic: watch::Sender<Traffic>,
    wants_company: bool,
    leaving: CancellationToken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Traffic {
    #[default]
    NotYet,
    Welcome,
    NoMore,
}

impl Readiness {
    /// Not ready yet. A node that wants company is not while it sees no other node.
    pub(crate) fn new(wants_company: bool) -> Self {
        Self {
            wants_company,
            ..Self::default()
        }
    }

    /// It listens at all its addresses.
    pub(crate) fn declare(&self) {
        self.traffic.send_replace(Traffic::Welcome);
    }

    /// The node leaves: balancers shall send nobody any more.
    pub(crate) fn withdraw(&self) {
        self.traffic.send_replace(Traffic::NoMore);
        self.leaving.cancel();
    }

    /// Cancelled when it is withdrawn.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    fn traffic(&self) -> Traffic {
        *self.traffic.borrow()
    }
}

/// `/health` is 200 while the node is *up*, and 503 with its phase otherwise.
pub(super) fn health(status: StatusReader, readiness: Readiness) -> Router {
    let answer = async move || {
        let status = status.read();
        let is_lonely = readiness.wants_company && status.members.len() < 2;
        health_of(status.phase, readiness.traffic(), is_lonely)
    };
    Router::new().route("/health", get(answer))
}

/// `/status` is how the node is, as JSON.
pub(super) fn status(status: StatusReader) -> Router {
    Router::new().route("/status", get(async move || status_of(&status)))
}

fn health_of(phase: Phase, traffic: Traffic, is_lonely: bool) -> Response {
    let (code, text) = match (phase, traffic) {
        (Phase::Leaving, _) | (_, Traffic::NoMore) => (StatusCode::SERVICE_UNAVAILABLE, "leaving\n"),
        (Phase::Up, Traffic::Welcome) if is_lonely => {
            (StatusCode::SERVICE_UNAVAILABLE, "alone although it has seeds\n")
        }
        (Phase::Up, Traffic::Welcome) => (StatusCode::OK, "up\n"),
        (Phase::Joining, _) | (_, Traffic::NotYet) => (StatusCode::SERVICE_UNAVAILABLE, "joining\n"),
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
        assert_eq!(
            health_of(Phase::Up, Traffic::Welcome, false).status(),
            StatusCode::OK
        );
        assert_eq!(
            health_of(Phase::Up, Traffic::Welcome, true).status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        for (phase, traffic) in [
            (Phase::Up, Traffic::NotYet),
            (Phase::Joining, Traffic::Welcome),
            (Phase::Leaving, Traffic::Welcome),
            (Phase::Up, Traffic::NoMore),
        ] {
            let status = health_of(phase, traffic, false).status();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{phase:?}, {traffic:?}");
        }
    }
}
