//! Room in a peer's window, held by whoever has its messages.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    channel::Channel,
    outbox::{Door, Outbox, Unput},
};

/// The room that received messages take in their sender's window. The sender may send as much again once the last
/// clone is dropped.
///
/// Keep it until the messages are handled, or have a place in a queue of your own that is bounded: that is the
/// back-pressure between nodes.
#[derive(Clone, Debug)]
#[must_use = "dropping a credit lets the peer send more"]
pub struct Credit {
    room: Option<Arc<Room>>,
}

#[derive(Debug)]
struct Room {
    weight: usize,
    channel: Channel,
    outbox: Arc<Outbox>,
}

impl Credit {
    /// A credit for messages that came over no link.
    pub fn unaccounted() -> Self {
        Self { room: None }
    }

    /// The life of the link by which the messages came.
    pub fn link(&self) -> LinkLife {
        LinkLife(self.room.as_ref().map(|room| room.outbox.clone()))
    }

    /// The room that messages of this weight take; given back by way of the outbox towards their sender.
    pub(super) fn new(weight: usize, channel: Channel, outbox: Arc<Outbox>) -> Self {
        Self {
            room: Some(Arc::new(Room {
                weight,
                channel,
                outbox,
            })),
        }
    }
}

/// One life of a link.
#[derive(Clone, Debug)]
pub struct LinkLife(Option<Arc<Outbox>>);

impl LinkLife {
    pub(super) fn of(outbox: Arc<Outbox>) -> Self {
        Self(Some(outbox))
    }

    /// Whether both are the same life of the same link.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// Queues messages by the channel of replication, for this life of the link and no later one: all of them, or none.
    pub(crate) fn send(&self, messages: &[Bytes]) -> Result<(), Unsent> {
        let Some(outbox) = &self.0 else {
            return Err(Unsent::Down);
        };
        let sent = outbox.put_all(Channel::Replication, messages);
        sent.map_err(|unput| match unput {
            Unput::TooLarge { size, limit } => Unsent::TooLarge { size, limit },
            Unput::Shut => Unsent::Down,
        })
    }

    /// Whether the link has been up since.
    pub fn is_up(&self) -> bool {
        self.0.as_ref().is_none_or(|outbox| outbox.door() == Door::Open)
    }
}

/// Why messages were not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsent {
    /// This life of the link has ended.
    #[error("the link is down")]
    Down,
    /// One is larger than any peer would take.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
}

impl Drop for Room {
    fn drop(&mut self) {
        self.outbox.handle(self.channel, self.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::LinkLimits;

    #[test]
    fn a_link_that_has_ended_is_not_up_again() {
        let outbox = Arc::new(Outbox::new(LinkLimits::default()));
        let life = Credit::new(10, Channel::Entities, outbox.clone()).link();
        assert!(life.is_up() && Credit::unaccounted().link().is_up());
        outbox.close();
        assert!(!life.is_up());
    }

    #[test]
    fn room_is_given_back_with_the_last_clone() {
        let outbox = Arc::new(Outbox::new(LinkLimits::default()));
        let credit = Credit::new(10, Channel::Entities, outbox.clone());
        let clone = credit.clone();
        drop(credit);
        assert_eq!(outbox.tell_handled(Channel::Entities), 0);
        drop(clone);
        assert_eq!(outbox.tell_handled(Channel::Entities), 10);
        drop(Credit::unaccounted());
        assert_eq!(outbox.tell_handled(Channel::Entities), 10);
    }
}
