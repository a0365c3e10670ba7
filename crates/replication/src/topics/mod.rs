//! A node's own side of publishing and hearing.

mod publisher;
mod replays;
mod subscriptions;

pub(crate) use publisher::Publisher;
pub(crate) use replays::Replays;
pub(crate) use subscriptions::Subscriptions;
