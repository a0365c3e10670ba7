//! Engine.IO v4: packets, payloads and the session state machine, without IO, clock or actors.
//!
//! Words follow the [specification](https://github.com/socketio/engine.io-protocol); where it is silent,
//! behaviour follows the reference server (`packages/engine.io` of socketio/socket.io), and every departure
//! says why where it is made.
//!
//! - [`Packet`] is what one side says to the other, [`Frame`] is a packet encoded once for all its receivers,
//!   [`payload`] is how several travel in one HTTP body.
//! - [`Session`] is one client's session: it takes what happens and the time, and gives back what to do.
//! - [`Handshake`], [`SessionConfig`], [`TransportName`] and [`Refusal`] are what a request and its answer
//!   are made of.

mod base64;
mod config;
mod frame;
mod handshake;
mod packet;
pub mod payload;
mod refusal;
mod session;
mod transport_name;

pub use config::SessionConfig;
pub use frame::{Frame, FrameKind};
pub use handshake::Handshake;
pub use packet::{Message, Packet, PacketError};
pub use payload::{Payload, PayloadError};
pub use refusal::{Refusal, check_revision};
pub use session::{CLOSE_PATIENCE, CloseReason, Output, Session, SessionSnapshot};
pub use transport_name::TransportName;
