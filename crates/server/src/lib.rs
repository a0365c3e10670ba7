//! A Socket.IO server that is a cluster by nature.
//!
//! Any node accepts any request of any client, long-poll or WebSocket, and carries it to the session it belongs to,
//! wherever that lives. Rooms span all nodes. No sticky load balancer, no broker.
//!
//! Write a [`Namespace`], give it to [`Server::builder`], start the server and serve its [router](Server::router).

mod census;
mod config;
mod engine_service;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod ingress;
mod io;
mod job;
mod limits;
mod namespace;
mod outgoing;
mod presence;
mod request;
mod room;
#[cfg(feature = "fault-injection")]
mod sabotage;
mod server;
mod session_ids;
mod sessions;
mod socket;
mod status;

pub use census::{Census, MemberCensus, SessionSight, SessionTag};
pub use config::{ClientLimits, CorsConfig, CorsOrigins, RecoveryConfig, ServerConfig, SessionPlacement};
pub use engine_service::{EngineService, EngineSocket};
pub use handshake::Handshake;
pub use hither_cluster as cluster;
pub use hither_engineio::{self as engineio, Message, SessionConfig, TransportName};
pub use hither_socketio::{
    AckId, Args, ArgsError, Binary, ConnectError, DisconnectReason, Event, EventError, Json, NamespaceName,
    NamespaceNameError, SocketId,
};
pub use ingress::{ClientStream, OverTls, RequestLines};
pub use io::{Io, QueryError, TellError};
pub use limits::{
    AdmissionLimits, BodyBudget, BodyError, BodyRoom, Connection, Gate, InvalidProxy, NoRoom, Rate, TooMany,
    TrustedProxies,
};
pub use namespace::{Namespace, Received};
pub use presence::{
    LINGER, Lagged, Person, PersonKey, PersonKeyError, Presence, PresenceChange, PresenceChanges,
    PresencePage,
};
pub use room::Room;
pub use server::{Leave, Server, ServerBuilder, StartError, StatusReader};
pub use socket::{AckError, Broadcast, EmitError, Socket, Whereabouts};
pub use status::{ClientStatus, MemberStatus, SessionStatus, Status};
