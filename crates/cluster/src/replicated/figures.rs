//! What the driver has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What this node's part in the replication of topics has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicFigures {
    /// Turns of the driver.
    pub turns: u64,
    /// Messages that it has sent to other nodes.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages of other nodes that it has read.
    pub received: u64,
    /// Publications of this node that are confirmed.
    pub confirmed: u64,
    /// Publications that listeners here were told.
    pub delivered: u64,
    /// How often a listener here had too much to handle: see [`Told::Lagged`](super::Told::Lagged).
    pub lagged: u64,
    /// How often a listener here was told that it has not heard all: see [`Told::Gap`](super::Told::Gap).
    pub gaps: u64,
}

/// The same, as they are counted.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) turns: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) confirmed: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) lagged: AtomicU64,
    pub(super) gaps: AtomicU64,
}

impl Figures {
    pub(super) fn read(&self) -> TopicFigures {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        TopicFigures {
            turns: read(&self.turns),
            sent: read(&self.sent),
            sent_bytes: read(&self.sent_bytes),
            received: read(&self.received),
            confirmed: read(&self.confirmed),
            delivered: read(&self.delivered),
            lagged: read(&self.lagged),
            gaps: read(&self.gaps),
        }
    }
}

/// Counts so many more.
pub(super) fn count(figure: &AtomicU64, more: usize) {
    figure.fetch_add(more as u64, Ordering::Relaxed);
}
