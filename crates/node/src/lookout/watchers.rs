//! Whether anybody watches.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How long one who watches counts without saying so again. Pages say so three times as often.
const LEASE: Duration = Duration::from_secs(15);

/// Whether anybody watches, on the word of those who do: nothing need be known of those who have gone, or whose sessions
/// have moved to another node.
#[derive(Default)]
pub(super) struct Watchers {
    last: Mutex<Option<Instant>>,
    came: Notify,
}

impl Watchers {
    /// Somebody watches.
    pub(super) fn renew(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        self.came.notify_one();
    }

    /// Whether somebody has said so of late.
    pub(super) fn are_there(&self, now: Instant) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| now.saturating_duration_since(last) < LEASE)
    }

    /// Completes when somebody watches.
    pub(super) async fn any(&self) {
        while !self.are_there(Instant::now()) {
            self.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_say_so_again_watches_no_more() {
        let (watchers, start) = (Watchers::default(), Instant::now());
        assert!(!watchers.are_there(start));
        watchers.renew(start);
        assert!(watchers.are_there(start + LEASE - Duration::from_millis(1)));
        assert!(!watchers.are_there(start + LEASE));
        watchers.renew(start + LEASE);
        assert!(watchers.are_there(start + LEASE));
    }

    #[tokio::test]
    async fn who_waits_for_watchers_goes_on_with_the_first() {
        let watchers = Watchers::default();
        let (now, any) = (Instant::now(), watchers.any());
        tokio::pin!(any);
        assert!(futures_util::poll!(&mut any).is_pending());
        watchers.renew(now);
        any.await;
    }
}
