//! Room in a peer's window, held by whoever has its messages.

use std::sync::Arc;

use super::outbox::Outbox;

/// The room that received messages take in their sender's window. The sender may send as much again once the last
/// clone is dropped.
///
/// Keep it until the messages are handled, or have a place in a queue of your own that is bounded: that is the
/// back-pressure between nodes.
#[derive(Clone, Debug)]
#[must_use = "dropping a credit lets the peer send more"]
pub struct Credit {
    _room: Option<Arc<Room>>,
}

#[derive(Debug)]
struct Room {
    weight: usize,
    outbox: Arc<Outbox>,
}

impl Credit {
    /// A credit for messages that came over no link.
    pub fn unaccounted() -> Self {
        Self { _room: None }
    }

    /// The room that messages of this weight take; given back by way of the outbox towards their sender.
    pub(super) fn new(weight: usize, outbox: Arc<Outbox>) -> Self {
        Self {
            _room: Some(Arc::new(Room { weight, outbox })),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.outbox.handle(self.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::LinkLimits;

    #[test]
    fn room_is_given_back_with_the_last_clone() {
        let outbox = Arc::new(Outbox::new(LinkLimits::default()));
        let credit = Credit::new(10, outbox.clone());
        let clone = credit.clone();
        drop(credit);
        assert_eq!(outbox.tell_handled(), 0);
        drop(clone);
        assert_eq!(outbox.tell_handled(), 10);
        drop(Credit::unaccounted());
        assert_eq!(outbox.tell_handled(), 10);
    }
}
