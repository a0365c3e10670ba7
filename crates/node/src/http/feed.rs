//! What the cluster page lives on: `/status/feed`, a stream of server-sent events.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response, sse::Sse},
    routing::get,
};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::NOT_STORED;
use crate::cluster_feed::{ClusterFeed, WatchError};

/// After how many seconds one may try again for whom there was no room.
const RETRY_AFTER: (HeaderName, HeaderValue) = (header::RETRY_AFTER, HeaderValue::from_static("10"));

/// nginx holds answers back unless it is told not to.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// `/status/feed` tells what happens in the cluster until `end`. `public` says whether clients come in by this way, too.
pub(super) fn feed(cluster_feed: ClusterFeed, public: bool, end: CancellationToken) -> Router {
    let answer = async move || match cluster_feed.watch(public) {
        Ok(events) => {
            let until_end = events.take_until(end.cancelled_owned());
            ([NOT_STORED, UNBUFFERED], Sse::new(until_end)).into_response()
        }
        Err(error) => cannot_watch(&error),
    };
    Router::new().route("/status/feed", get(answer))
}

fn cannot_watch(error: &WatchError) -> Response {
    let status = match error {
        WatchError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        WatchError::Json(_) => {
            warn!(%error, "cannot serve the cluster feed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, [NOT_STORED, RETRY_AFTER], format!("{error}\n")).into_response()
}
