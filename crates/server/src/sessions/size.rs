//! How large a session may be: so small that it can always move to another node in one message.

use tracing::warn;

use super::{
    env::Env,
    session::{NamespaceSocket, Session, Upper},
};
use hither_engineio::CloseReason;

/// Bytes of all that a session holds together. With what is bounded otherwise (headers of its handshake, remembered pushes,
/// epochs) it stays below the largest message of a link, which has 16 MiB.
const MAX_SESSION_BYTES: usize = 12 << 20;
/// What an awaited ack takes apart from its context.
const ACK_OVERHEAD: usize = 64;

impl NamespaceSocket {
    fn bytes(&self) -> usize {
        let acks = self.acks.values();
        self.saved.as_ref().map_or(0, bytes::Bytes::len)
            + self.joins.bytes()
            + acks
                .map(|awaited| ACK_OVERHEAD + awaited.context.as_str().len())
                .sum::<usize>()
    }
}

impl Session {
    /// Ends the session if it holds too much of what clients send and are sent.
    pub(super) fn check_size(&mut self, env: &Env) {
        let waiting = match &self.upper {
            Upper::SocketIo(upper) => upper.connection.waiting_bytes(),
            Upper::EngineIo => 0,
        };
        self.end_if_too_large(
            env,
            self.outgoing.bytes() + self.jobs.bytes() + self.history.bytes() + waiting,
        );
    }

    /// As [`check_size`](Self::check_size), with what its handlers have it keep.
    pub(super) fn check_whole_size(&mut self, env: &Env) {
        let (waiting, sockets) = match &self.upper {
            Upper::SocketIo(upper) => {
                let sockets = upper.sockets.iter().map(NamespaceSocket::bytes);
                (upper.connection.waiting_bytes(), sockets.sum())
            }
            Upper::EngineIo => (0, 0),
        };
        let bytes = self.outgoing.bytes() + self.jobs.bytes() + self.history.bytes();
        self.end_if_too_large(env, bytes + waiting + sockets);
    }

    fn end_if_too_large(&mut self, env: &Env, bytes: usize) {
        if bytes > MAX_SESSION_BYTES && self.engine.close_reason().is_none() {
            env.shared.counters.overflows.up();
            warn!(session = %self.key, bytes, limit = MAX_SESSION_BYTES, "a session is too large to move; closing it");
            self.engine.close(CloseReason::Overflow);
        }
    }
}
