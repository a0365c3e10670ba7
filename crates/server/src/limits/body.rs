//! Reading the body of a request into memory.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use bytes::BytesMut;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::body_budget::{BodyBudget, BodyRoom, NoRoom};

/// How long a body may take to come, beside the time that it takes at the lowest rate.
const GRACE: Duration = Duration::from_secs(10);

/// The lowest rate at which a body may come, in bytes a second: that of the slowest of mobile links.
pub(crate) const LOWEST_RATE: u32 = 8 << 10;

/// Why a body was not read. The rest of it may still come, so the connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than it may have.
    #[error("the body is too large")]
    TooLarge,
    /// It came more slowly than 8 KiB a second, after 10 s.
    #[error("the body came too slowly")]
    TooSlow,
    /// The budget has no room for it now.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// It broke off.
    #[error("the body broke off")]
    Broken(#[source] axum::Error),
}

impl BodyBudget {
    /// Reads a body of at most `limit` bytes into memory, for which there is room as long as what is given back with it lives.
    ///
    /// # Errors
    /// When it is too large, comes too slowly or not wholly, or there is no room for it.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        limit: usize,
    ) -> Result<(Bytes, BodyRoom), BodyError> {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            return Err(BodyError::TooLarge);
        }
        let mut room = self.enter(announced)?;
        let mut read = BytesMut::new();
        let began = Instant::now();
        loop {
            let frame = match timeout_at(due(began, read.len()), body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(BodyError::Broken(error)),
                Ok(None) => return Ok((read.freeze(), room)),
                Err(_) => return Err(BodyError::TooSlow),
            };
            // Trailers mean nothing here.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = read.len() + data.len();
            if length > limit {
                return Err(BodyError::TooLarge);
            }
            room.grow_to(length)?;
            if read.is_empty() && announced == Some(data.len()) {
                return Ok((data, room));
            }
            read.reserve(announced.map_or(0, |whole| whole.saturating_sub(read.len())));
            read.extend_from_slice(&data);
        }
    }
}

/// When this much of a body must have come that began then.
fn due(began: Instant, bytes: usize) -> Instant {
    let at_lowest_rate = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / LOWEST_RATE;
    began + GRACE + at_lowest_rate
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const LIMIT: usize = 1000;

    async fn read(budget: usize, body: Body, announced: Option<&'static str>) -> Result<usize, BodyError> {
        let mut headers = HeaderMap::new();
        if let Some(length) = announced {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        let read = BodyBudget::new(budget).read(&headers, body, LIMIT).await;
        read.map(|(bytes, _)| bytes.len())
    }

    #[tokio::test]
    async fn a_body_is_bounded_whether_it_says_its_length_or_not() {
        for announced in [Some("1000"), None] {
            let whole = read(1 << 20, Body::from(vec![0; LIMIT]), announced).await;
            assert!(matches!(whole, Ok(LIMIT)), "{whole:?}");
        }
        for announced in [Some("1001"), Some("5"), None] {
            let large = read(1 << 20, Body::from(vec![0; LIMIT + 1]), announced).await;
            assert!(matches!(large, Err(BodyError::TooLarge)), "{large:?}");
        }
        for announced in [Some("900"), None] {
            let crowded = read(600, Body::from(vec![0; 900]), announced).await;
            assert!(matches!(crowded, Err(BodyError::NoRoom(_))), "{crowded:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, axum::Error>>());
        let began = Instant::now();
        let late = read(1 << 20, never, Some("10")).await;
        assert!(matches!(late, Err(BodyError::TooSlow)), "{late:?}");
        assert_eq!(began.elapsed(), GRACE);
    }
}
