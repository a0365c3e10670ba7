//! What is kept, and what it is called.

pub(crate) mod attachment;
pub(crate) mod ids;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod person;
pub(crate) mod rate;
pub(crate) mod room;
