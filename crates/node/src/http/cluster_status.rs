//! What operators ask any node about all nodes: `/status/cluster`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hither::{Io, MemberCensus};
use serde::Serialize;
use tokio::sync::Mutex;

use super::NOT_STORED;

/// How long a node may take to answer. Whoever takes longer is shown without what it counts.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one answer is good for, so that nobody makes all nodes work by asking one again and again.
const KEPT: Duration = Duration::from_millis(500);

/// The cluster as one of its nodes sees it.
#[derive(Serialize)]
struct ClusterStatus<'a> {
    /// The node that was asked.
    node: &'a str,
    members: Vec<MemberCensus>,
}

/// The last answer, and when it was given.
type Latest = Arc<Mutex<Option<(Instant, Bytes)>>>;

/// `/status/cluster` is the live members, their shards, and what each counts of its sessions, as JSON.
pub(super) fn cluster_status(io: Io) -> Router {
    let latest = Latest::default();
    Router::new().route(
        "/status/cluster",
        get(async move || match answer(&io, &latest).await {
            Ok(json) => {
                let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                ([content_type, NOT_STORED], json).into_response()
            }
            Err(error) => cannot_say(&error),
        }),
    )
}

/// All who ask at once share one answer.
async fn answer(io: &Io, latest: &Latest) -> serde_json::Result<Bytes> {
    let mut latest = latest.lock().await;
    if let Some((_, json)) = latest.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
        return Ok(json.clone());
    }
    let census = io.census(0, PATIENCE).await;
    let status = ClusterStatus {
        node: io.node().as_str(),
        members: census.members,
    };
    let json = Bytes::from(serde_json::to_vec(&status)?);
    *latest = Some((Instant::now(), json.clone()));
    Ok(json)
}

fn cannot_say(error: &serde_json::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
