//! A chat with many rooms: an application on the library `hither`, like any other.
//!
//! ```no_run
//! use hither::Server;
//! use hither_chat::{Chat, ChatConfig, NAMESPACE};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let chat = Chat::new(ChatConfig::default());
//! let server = Server::builder().namespace(NAMESPACE, chat.clone())?.start_alone().await?;
//! let tasks = chat.start(server.io());
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, server.router()).await?;
//! tasks.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is said
//! A client connects with auth `{name}` and is greeted with `welcome {user, rooms, limits: {message}}`, and with
//! `placement {ingress, owner, transport}`, which comes again whenever it changes. A refusal is a `connect_error` whose data
//! has a `code`: `name needed`, `name refused` or `internal`.
//!
//! | request | answer | told |
//! |---|---|---|
//! | `join room {room}` | `{ok, room, members: [{id, user}]}` | `join room {room, user, id}` to the others in the room |
//! | `leave room {room}` | `{ok}` | `leave room {room, user, id}` to the others; at a disconnect with a `reason` |
//! | `chat message {room, message}` | `{ok}` | `chat message {room, user, id, message, kind}` to all in the room |
//! | `list rooms` | `{ok, rooms: [{room, members}]}` | |
//!
//! What cannot be done is answered `{ok: false, error}`, with an `error` that can be shown to people. `room members {room,
//! members}` replaces the list of members that a client has: soon after a join if people came or went during it, and after
//! nodes were lost.
//!
//! # What it costs
//! A message costs what a publish does. A join asks every node twice who is in the room, and its answer grows with the room.
//! After the loss of a node each node asks all others for each room that its clients are in, and sends the list to all of
//! them.
//!
//! `list rooms` lists the fullest rooms of the cluster and those that are suggested. For that a node asks all others for
//! everybody in the chat and the rooms they are in, and uses the count for a second, or longer where counting takes long; all
//! its clients share it.

mod card;
mod census;
mod chat;
mod config;
mod doubtful;
mod members;
mod message;
mod name;
mod protocol;
mod refusal;
mod request;
mod roll_call;
mod room_name;
mod sign_in;
mod tasks;
mod user_name;

pub use chat::{Chat, Participant};
pub use config::ChatConfig;
pub use name::NameError;
pub use room_name::{RoomName, RoomNameError};
pub use tasks::ChatTasks;
pub use user_name::{UserName, UserNameError};

/// Where the chat is mounted.
pub const NAMESPACE: &str = "/chat";
