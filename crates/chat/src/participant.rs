//! What the chat keeps of each socket, and its end.

use hither::{EmitError, Socket};
use hither_store::StoreError;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{accounts::secret::LoginId, actor::Actor, news::LoginEnd, service::Service};

/// What the chat keeps of each socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Whose socket it is, by the login session.
    pub(crate) actor: Actor,
    login: LoginId,
    /// The node that owned the session when the rooms were last compared with the store.
    pub(crate) owner: String,
    /// Whether the login session was looked at since the socket hears of its end.
    checked: bool,
}

impl Participant {
    pub(crate) const fn new(actor: Actor, login: LoginId, owner: String) -> Self {
        Self {
            actor,
            login,
            owner,
            checked: false,
        }
    }

    pub(crate) const fn is_checked(&self) -> bool {
        self.checked
    }
}

#[derive(Serialize)]
struct SignedOut {
    reason: LoginEnd,
}

impl Service {
    /// Whether the login session of a socket goes on.
    pub(crate) async fn is_signed_in(&self, socket: &mut Socket<Participant>) -> Result<bool, StoreError> {
        let login = self.store.use_login(&socket.data.login.0).await?;
        socket.data.checked = login.is_some();
        Ok(login.is_some())
    }
}

/// Tells the client that its login session has ended, and disconnects the socket.
pub(crate) fn sign_out(socket: &mut Socket<Participant>, reason: LoginEnd) -> Result<(), EmitError> {
    let told = socket.emit("signed out", &SignedOut { reason });
    socket.disconnect();
    told
}

/// That an event cannot be sent is no reason to do the rest of what is under way in another way.
pub(crate) fn log_unsent<E: Into<Option<EmitError>>>(socket: &Socket<Participant>, done: Result<(), E>) {
    if let Err(error) = done
        && let Some(error) = error.into()
    {
        warn!(socket = %socket.id(), %error, "cannot send to a client");
    }
}
