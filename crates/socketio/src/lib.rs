//! Socket.IO v5: packets and the connect, event and ack state machine, without IO, clock or actors.
//!
//! Words follow the [specification](https://github.com/socketio/socket.io-protocol); where it is silent, behaviour follows the
//! reference server (`packages/socket.io` and `packages/socket.io-parser` of socketio/socket.io), and every departure says
//! why where it is made.
//!
//! - [`Event`] and [`Args`] are what applications say, with [`Binary`] for bytes among the arguments.
//! - [`Packet`] is what one side says to the other; a [`Decoder`] makes it of messages, [`Encoded`] makes frames of it, once
//!   for all receivers.
//! - [`Connection`] is one client's presence in namespaces: it takes what happens and the time, and gives back what to do.

mod args;
mod binary;
mod connect_error;
mod connection;
mod decode;
mod encode;
mod event;
mod ids;
mod json;
mod namespace;
mod packet;
mod recovery;

pub use args::{Args, ArgsError};
pub use binary::Binary;
pub use connect_error::ConnectError;
pub use connection::{
    CloseReason, Connection, ConnectionConfig, ConnectionDelta, ConnectionMark, ConnectionSnapshot,
    DisconnectReason, EmitError, NotConnected, NotConnecting, OutOfTurn, Output,
};
pub use decode::{DecodeError, Decoded, Decoder, PacketLimits, Untaken, UntakenReason};
pub use encode::Encoded;
pub use event::{Event, EventError, EventName, ReservedName};
pub use ids::{AckId, RecoveryId, SocketId};
pub use json::{Json, JsonError, MAX_DEPTH, PlaceholderError};
pub use namespace::{NamespaceName, NamespaceNameError};
pub use packet::Packet;
pub use recovery::{Offset, RecoveryRequest};
