//! Settings of a server, and what they cost.

use std::time::Duration;

use hither_engineio::SessionConfig;

use crate::limits::AdmissionLimits;

/// Which node owns a new session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionPlacement {
    /// The node where it opens: session ids are drawn until their shard belongs there. Saves the way between nodes
    /// for every WebSocket that opens directly.
    #[default]
    Near,
    /// Whichever node the hash of its id names.
    Spread,
}

/// Cross-origin rules, as the reference server offers them: off unless configured.
///
/// Unlike there, a request that opens a session, posts or asks for a WebSocket is refused with 403 if it names an origin
/// that is neither the server's own nor one of these: a page of somebody else must not act for a person whose browser sends
/// his cookies along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsConfig {
    /// Which origins may read answers.
    pub origins: CorsOrigins,
    /// Whether answers may be read when the request carried cookies. Needs listed origins, for browsers accept no
    /// wildcard with credentials.
    pub credentials: bool,
}

/// Which origins may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Only pages of the server's own origin.
    #[default]
    SameOrigin,
    /// Pages of any origin.
    Any,
    /// Pages of these origins, such as `https://example.org`, beside the server's own.
    Listed(Vec<String>),
}

/// How long, and at what cost, clients may come back to where they were (Socket.IO's connection state recovery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// How long a client may be away. The reference server's two minutes. What was published meanwhile must still be in
    /// the lanes' logs: see [`LogLimits`](hither_cluster::LogLimits).
    pub window: Duration,
    /// Bytes of events emitted to one session's sockets alone that are kept for it. Events for rooms cost no session
    /// anything.
    pub max_bytes: usize,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(120),
            max_bytes: 256 << 10,
        }
    }
}

/// What one client may ask for. What it says faster than this is not refused: it is read no faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Packets per second, on average.
    pub packets_per_second: u32,
    /// Packets at once, after a rest.
    pub packet_burst: u32,
    /// Bytes per second, on average.
    pub bytes_per_second: u32,
    /// Bytes at once, after a rest. A single message may be larger: what follows it waits for longer.
    pub byte_burst: u32,
    /// Rooms that a socket may be in. One more is an error for the handler that joins it.
    pub rooms: usize,
    /// Namespaces that a client may be in, or ask for, at a time. One more is refused with a CONNECT_ERROR.
    pub namespaces: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            packets_per_second: 10_000,
            packet_burst: 20_000,
            bytes_per_second: 16 << 20,
            byte_burst: 16 << 20,
            rooms: 1_000,
            namespaces: 100,
        }
    }
}

/// How a server treats its clients.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Heartbeat, `maxPayload` and the patience with an upgrade.
    pub engine: SessionConfig,
    /// How long a client may take to connect to a namespace. The reference server's 45 s.
    pub connect_timeout: Duration,
    /// Bytes that may wait for a client which does not take them; a session over this is closed. Bounds the memory
    /// that one slow client can cost.
    pub max_outgoing_bytes: usize,
    /// Bytes of events that may wait for a session's handler before its client is read no further.
    pub max_incoming_bytes: usize,
    /// What one client may ask for.
    pub client_limits: ClientLimits,
    /// Whether clients may come back to where they were. Off unless configured, as in the reference server: with it on,
    /// every event bears an offset as its last argument, which the client's listeners see too. A namespace
    /// [may do without](crate::Namespace::RECOVERABLE).
    pub recovery: Option<RecoveryConfig>,
    /// Which node owns a new session.
    pub placement: SessionPlacement,
    /// Cross-origin rules.
    pub cors: CorsConfig,
    /// Whether browsers get the client beside the server, as `/socket.io/socket.io.js`, `.min.js`, `.esm.min.js`: that of npm's
    /// `socket.io-client`. On, as in the reference server.
    pub client_bundle: bool,
    /// Whether pages may poll by scripts and push by forms (JSONP). On, as in the reference server.
    pub jsonp: bool,
    /// How much clients may ask of a node, beside what their sessions may hold.
    pub admission: AdmissionLimits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            engine: SessionConfig::default(),
            connect_timeout: Duration::from_secs(45),
            max_outgoing_bytes: 8 << 20,
            max_incoming_bytes: 256 << 10,
            client_limits: ClientLimits::default(),
            recovery: None,
            placement: SessionPlacement::default(),
            cors: CorsConfig::default(),
            client_bundle: true,
            jsonp: true,
            admission: AdmissionLimits::default(),
        }
    }
}
