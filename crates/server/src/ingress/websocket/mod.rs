//! WebSockets: the upgrade, and each half of an open socket.
//!
//! The session is asked before the client is: a refusal is an HTTP answer. Once the socket is open a task reads it
//! ([`reader`]) and hands what it reads to the session, one push at a time, so that backpressure reaches the client's
//! TCP window. The lane writes ([`writer`]), without a task, and drops its half to end the socket.

mod attachment;
mod decoder;
mod end;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod io;
mod reader;
mod upgrade;
mod wire;
mod writer;

use axum::{http::request::Parts, response::Response};
use hither_cluster::Key;
use hither_engineio::Refusal;
use hyper::upgrade::OnUpgrade;
use tracing::{debug, info};
pub(crate) use tungstenite::protocol::frame::coding::CloseCode;

pub(super) use self::upgrade::{UpgradeRequest, is_wanted};
pub(crate) use self::writer::{SocketWriter, WriteOutcome};
use self::{attachment::Attachment, reader::SocketReader};
use super::{
    Admission, Backend, Ingress, OPEN_TIMEOUT, REQUESTS, ShortSid, denial::Denial, introduction,
    requester::Requester,
};
use crate::request::{OpenTransport, RequestId, SessionRequest};

impl<B: Backend> Ingress<B> {
    /// Opens a session on a WebSocket.
    pub(super) async fn open_websocket(
        &self,
        parts: &Parts,
        requester: &Requester,
        upgrade: UpgradeRequest,
        admission: Admission,
    ) -> Result<Response, Denial> {
        let handshake = introduction::read(parts, requester.address, self.backend.node())?;
        let sid = self.backend.mint();
        info!(
            target: REQUESTS,
            sid = %ShortSid(&sid),
            owner = self.owner(&sid),
            remote = handshake.remote.map(tracing::field::display),
            "connection by WebSocket"
        );
        let attachment = Attachment::reserve(self.backend.clone(), sid);
        let transport = OpenTransport::WebSocket(attachment.address().clone());
        let (id, service) = (RequestId::random(), self.service);
        self.accept(
            attachment,
            SessionRequest::Open {
                id,
                service,
                transport,
                handshake,
            },
            upgrade,
            admission,
        )
        .await
    }

    /// Brings a WebSocket to a session that polls.
    pub(super) async fn attach_websocket(
        &self,
        sid: Key,
        upgrade: UpgradeRequest,
        admission: Admission,
    ) -> Result<Response, Denial> {
        info!(target: REQUESTS, sid = %ShortSid(&sid), owner = self.owner(&sid), "WebSocket");
        let attachment = Attachment::reserve(self.backend.clone(), sid);
        let socket = attachment.address().clone();
        self.accept(
            attachment,
            SessionRequest::Attach {
                service: self.service,
                socket,
            },
            upgrade,
            admission,
        )
        .await
    }

    async fn accept(
        &self,
        attachment: Attachment<B>,
        request: SessionRequest,
        upgrade: UpgradeRequest,
        admission: Admission,
    ) -> Result<Response, Denial> {
        // What an opened session says comes as frames for the socket, so the reply itself says no more than yes.
        match self.ask(attachment.sid(), request, OPEN_TIMEOUT).await {
            Ok(_) => {
                let (answer, on_upgrade) = upgrade.accept();
                self.backend
                    .tasks()
                    .spawn(serve(attachment, on_upgrade, admission));
                Ok(answer)
            }
            // A session that has its WebSocket, or tries one: as in the reference, the socket opens and closes at once.
            Err(Denial::Refused(Refusal::BadRequest)) => {
                attachment.withdraw();
                let (answer, on_upgrade) = upgrade.accept();
                let backend = self.backend.clone();
                self.backend.tasks().spawn(turn_away(backend, on_upgrade));
                Ok(answer)
            }
            Err(Denial::Refused(refusal)) => {
                attachment.withdraw();
                Err(refusal.into())
            }
            Err(denial) => Err(denial),
        }
    }
}

/// Closes a socket that its session does not want.
async fn turn_away<B: Backend>(backend: B, on_upgrade: OnUpgrade) {
    match on_upgrade.await {
        Ok(upgraded) => {
            let (_half, mut writer, _early) = io::split(upgraded, backend.tasks());
            writer.close(CloseCode::Normal);
        }
        Err(error) => debug!(%error, "the client left during the upgrade"),
    }
}

/// The life of a socket, from the answer to the upgrade on.
async fn serve<B: Backend>(attachment: Attachment<B>, on_upgrade: OnUpgrade, _admission: Admission) {
    let backend = attachment.backend().clone();
    match on_upgrade.await {
        Ok(upgraded) => {
            let (half, writer, early) = io::split(upgraded, backend.tasks());
            backend.socket_opened(attachment.address(), writer);
            let reader = SocketReader::new(attachment, half, &early);
            drop(early);
            // Boxed, so that the task does not keep room for the upgrade.
            Box::pin(Box::new(reader).run()).await;
        }
        Err(error) => {
            debug!(sid = %ShortSid(attachment.sid()), %error, "the client left during the upgrade");
        }
    }
}
