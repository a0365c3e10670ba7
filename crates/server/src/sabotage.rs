//! Mistakes on purpose, to see whether the tests find them. Only in builds with the feature `fault-injection`.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use hither_engineio::Frame;

/// Of so many events to sessions that have moved, one suffers.
const ONE_IN: u64 = 1000;

/// What happens to an event on its way into a session's outgoing buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    Drop,
    Repeat,
}

/// What `HITHER_MISTAKE` asks for: `drop` or `repeat`.
static MISTAKE: LazyLock<Option<Mistake>> = LazyLock::new(|| match env::var("HITHER_MISTAKE").as_deref() {
    Ok("drop") => Some(Mistake::Drop),
    Ok("repeat") => Some(Mistake::Repeat),
    _ => None,
});

static EVENTS: AtomicU64 = AtomicU64::new(0);

/// What happens to this frame of a session that has moved.
pub(crate) fn mistake(frame: &Frame) -> Option<Mistake> {
    let mistake = (*MISTAKE)?;
    // An Engine.IO message with a Socket.IO event.
    let is_event = frame.bytes().starts_with(b"42");
    (is_event && EVENTS.fetch_add(1, Ordering::Relaxed) % ONE_IN == ONE_IN / 2).then_some(mistake)
}
