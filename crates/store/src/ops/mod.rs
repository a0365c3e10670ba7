//! What the store does, a file for each thing that it keeps.

pub(crate) mod append;
mod attachments;
mod attempts;
mod buckets;
mod logins;
mod marks;
mod members;
mod messages;
pub(crate) mod persons;
pub(crate) mod retention;
mod rooms;
mod rows;
mod search;
mod webhooks;
