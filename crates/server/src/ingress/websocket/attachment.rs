//! The tie between a socket and its session.

use std::time::Duration;

use hither_cluster::Key;
use tokio::runtime::Handle;
use tracing::warn;

use super::CloseCode;
use crate::{
    ingress::{Backend, ShortSid, why},
    request::{SessionRequest, SocketAddress},
};

/// How long a session may be out of reach before it is left to find out by itself that a socket is gone.
const CLOSED_TIMEOUT: Duration = Duration::from_secs(60);

/// A socket's address at a session, from the moment the session is asked to take it. Dropped for whatever reason, it
/// tells the lane and the session that the socket is gone.
pub(super) struct Attachment<B: Backend> {
    backend: B,
    sid: Key,
    address: SocketAddress,
    close: Option<CloseCode>,
    is_withdrawn: bool,
}

impl<B: Backend> Attachment<B> {
    pub(super) fn reserve(backend: B, sid: Key) -> Self {
        let address = backend.reserve_socket(&sid);
        Self {
            backend,
            sid,
            address,
            close: None,
            is_withdrawn: false,
        }
    }

    pub(super) fn backend(&self) -> &B {
        &self.backend
    }

    pub(super) fn sid(&self) -> &Key {
        &self.sid
    }

    pub(super) fn address(&self) -> &SocketAddress {
        &self.address
    }

    /// The session refused the socket, so there is nothing to tell it.
    pub(super) fn withdraw(mut self) {
        self.is_withdrawn = true;
    }

    /// The socket is over; the client, if it is still there, is told this code.
    pub(super) fn end(mut self, close: Option<CloseCode>) {
        self.close = close;
    }
}

impl<B: Backend> Drop for Attachment<B> {
    fn drop(&mut self) {
        self.backend.socket_ended(&self.address, self.close);
        // Without a runtime the node has ended, and with it whom to tell.
        if let (false, Ok(runtime)) = (self.is_withdrawn, Handle::try_current()) {
            let (backend, sid) = (self.backend.clone(), self.sid.clone());
            let closed = SessionRequest::SocketClosed {
                socket: self.address.clone(),
            };
            let telling = async move {
                if let Err(error) = backend.request(&sid, closed, CLOSED_TIMEOUT).await {
                    warn!(sid = %ShortSid(&sid), reason = why(&error), "a session was not notified that its socket is gone");
                }
            };
            self.backend.tasks().spawn_on(telling, &runtime);
        }
    }
}
