//! A chat with accounts, rooms and a history: an application on the library `hither`, like any other.
//!
//! What clients and the chat say to each other is written down in `docs/chat-protocol.md`. The store is the truth: a message
//! is stored, then acknowledged, then published. Publications only tell what was stored; a client that misses one sees the gap
//! in the numbers, and asks for the history.
//!
//! [`Chat::new`] makes the namespace to mount at [`NAMESPACE`], [`Chat::routes`] what is served over HTTP beside it, and
//! [`ChatStart::start`] begins what the chat does by itself. A node of the cluster has one chat, and all share one store.
//!
//! # Who is told what
//! Each socket is in a room of the library for its person, for its login session, and for each chat room of its person. What
//! the store says about a person's rooms is brought to the person's sockets on all nodes by [`hither::Io::tell`]: each handler
//! then compares the rooms of its socket with the store. So a message that comes twice or late does no harm.

mod accounts;
mod actor;
mod audience;
mod chat;
mod config;
mod http;
mod limits;
mod messages;
mod news;
mod paced;
mod participant;
mod refusal;
mod request;
mod rooms;
mod service;
mod socket_rooms;
mod tasks;
mod uploads;
mod view;

pub use chat::{Chat, ChatStart};
pub use config::ChatConfig;
pub use participant::Participant;
pub use tasks::ChatTasks;

/// Where the chat is mounted.
pub const NAMESPACE: &str = "/chat";
