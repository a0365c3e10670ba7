//! The client side of the public protocol: HTTP, WebSocket, Engine.IO and Socket.IO, as light as a load generator needs.

pub(crate) mod http;
pub(crate) mod packet;
pub(crate) mod polling;
pub(crate) mod socket;
mod websocket;
