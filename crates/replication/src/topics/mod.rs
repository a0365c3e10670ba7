//! A node's own side of publishing and hearing.

mod publisher;
mod subscriptions;

pub(crate) use publisher::Publisher;
pub(crate) use subscriptions::Subscriptions;
