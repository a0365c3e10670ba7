//! What the ingress needs of the node behind it.

use std::time::Duration;

use bytes::Bytes;
use hither_cluster::{Key, NodeName, RequestError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CloseCode, SocketWriter};
use crate::{
    config::ServerConfig,
    limits::Gate,
    request::{SessionReply, SessionRequest, SocketAddress},
};

/// The node behind the ingress. Cloned with every request, so cheap to clone.
///
/// A socket's life: its address is [reserved](Self::reserve_socket), the session is asked to take it, and if it does
/// the socket [opens](Self::socket_opened). In any case it [ends](Self::socket_ended), once, opened or not.
pub(crate) trait Backend: Clone + Send + Sync + 'static {
    /// This node, for logs and handshakes.
    fn node(&self) -> &NodeName;

    /// How clients are treated.
    fn config(&self) -> &ServerConfig;

    /// Who owns a session now, for logs.
    fn owner_of(&self, sid: &Key) -> Option<NodeName>;

    /// Lets clients in.
    fn gate(&self) -> &Gate;

    /// An id for a new session.
    fn mint(&self) -> Key;

    /// Whether this text is an id that a node of this cluster has minted. It says nothing of the session.
    fn has_minted(&self, sid: &str) -> bool;

    /// Asks a session, wherever it lives.
    ///
    /// # Errors
    /// When no owner answered in time, or it would not or could not.
    fn request(
        &self,
        sid: &Key,
        request: SessionRequest,
        timeout: Duration,
    ) -> impl Future<Output = Result<SessionReply, RequestError>> + Send;

    /// An address for a socket that is about to open. From now on the lane keeps what the session says to it.
    fn reserve_socket(&self, sid: &Key) -> SocketAddress;

    /// The socket is open. Its lane owns the write half from now on; when the lane drops it, the socket closes and
    /// its reader ends.
    fn socket_opened(&self, address: &SocketAddress, writer: SocketWriter);

    /// The client sent a WebSocket ping, to be answered with [`SocketWriter::pong`]. Completes when the lane has it:
    /// the socket is read no further before.
    fn socket_pinged(&self, address: &SocketAddress, payload: Bytes) -> impl Future<Output = ()> + Send;

    /// The reader has ended, or the socket never opened. If a code is given the lane
    /// [closes](SocketWriter::close) the socket with it; in any case it drops the write half.
    fn socket_ended(&self, address: &SocketAddress, close: Option<CloseCode>);

    /// Cancelled when this node leaves: hanging polls are answered, and none hangs any more. All else is served as before.
    fn leaving(&self) -> &CancellationToken;

    /// Owns the tasks of the ingress. Those of a socket end soon after its write half is dropped.
    fn tasks(&self) -> &TaskTracker;
}
