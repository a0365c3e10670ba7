//! Uploads that take longer than a pong may: the pong is queued behind them, so their session is told that they get on.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use hither_cluster::Key;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tracing::debug;

use super::{Backend, ShortSid, why};
use crate::{limits::LOWEST_RATE, request::SessionRequest};

/// Bodies that are no longer are there before anybody could miss a pong.
const SMALL: u64 = 16 << 10;

/// A body whose session is told that it gets on, while it is read.
pub(super) fn watched<B: Backend>(backend: &B, sid: &Key, body: Body) -> Body {
    if body.size_hint().exact().is_some_and(|length| length <= SMALL) {
        return body;
    }
    let (backend, sid) = (backend.clone(), sid.clone());
    let mut progress = Progress::new(backend.config().engine.ping_timeout);
    Body::new(body.map_frame(move |frame| {
        let length = frame.data_ref().map_or(0, bytes::Bytes::len);
        if progress.more(length, Instant::now()) {
            progress.tell(&backend, &sid);
        }
        frame
    }))
}

/// How an upload gets on.
#[derive(Debug)]
pub(super) struct Progress {
    /// How often its session is told.
    every: Duration,
    /// When what is counted began to come; none between two uploads.
    since: Option<Instant>,
    bytes: usize,
}

impl Progress {
    /// For clients whose pongs may take so long.
    pub(super) fn new(ping_timeout: Duration) -> Self {
        Self {
            every: ping_timeout / 3,
            since: None,
            bytes: 0,
        }
    }

    /// More of an upload has come, and not all. Whether its session is to be told.
    pub(super) fn more(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes += bytes;
        let since = *self.since.get_or_insert(now);
        let took = now.saturating_duration_since(since);
        if took < self.every {
            return false;
        }
        let expected = f64::from(LOWEST_RATE) * took.as_secs_f64();
        let is_fast = self.bytes as f64 >= expected;
        (self.since, self.bytes) = (Some(now), 0);
        is_fast
    }

    /// All of it has come.
    pub(super) fn done(&mut self) {
        (self.since, self.bytes) = (None, 0);
    }

    /// Tells the session, without waiting for it.
    pub(super) fn tell<B: Backend>(&self, backend: &B, sid: &Key) {
        let (patience, asking, sid) = (self.every, backend.clone(), sid.clone());
        backend.tasks().spawn(async move {
            if let Err(error) = asking.request(&sid, SessionRequest::Receiving, patience).await {
                debug!(sid = %ShortSid(&sid), reason = why(&error), "a session was not notified of upload progress");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_now_and_then_of_what_is_fast_enough() {
        let began = Instant::now();
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut progress = Progress::new(Duration::from_secs(3));
        assert!(!progress.more(1, began));
        assert!(!progress.more(100_000, at(999)));
        assert!(progress.more(1, at(1_000)));
        assert!(!progress.more(100_000, at(1_500)));
        assert!(progress.more(1, at(2_000)));
        assert!(!progress.more(8_191, at(3_000)), "a byte too slow");
        assert!(progress.more(8_192, at(4_000)), "which is counted anew");
    }

    #[test]
    fn the_time_between_two_uploads_does_not_count() {
        let began = Instant::now();
        let mut progress = Progress::new(Duration::from_secs(3));
        assert!(!progress.more(10_000, began));
        progress.done();
        assert!(!progress.more(10_000, began + Duration::from_secs(60)));
        assert!(progress.more(1, began + Duration::from_secs(61)));
    }
}
