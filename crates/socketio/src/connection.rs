//! One client's presence in namespaces: a pure state machine.

mod config;
mod delta;
mod namespaces;
mod output;
mod queue;
mod snapshot;
mod state;

use std::time::Instant;

use hither_engineio as engineio;
use hither_engineio::Message;

pub use config::ConnectionConfig;
pub use delta::{ConnectionDelta, ConnectionMark};
pub use namespaces::{EmitError, NotConnected, NotConnecting};
pub use output::{CloseReason, DisconnectReason, OutOfTurn, Output};
use queue::OutputQueue;
pub use snapshot::ConnectionSnapshot;
use state::{Open, State};

use crate::args::Args;
use crate::connect_error::ConnectError;
use crate::encode::Encoded;
use crate::event::Event;
use crate::ids::{AckId, RecoveryId, SocketId};
use crate::namespace::NamespaceName;

/// What one client says and hears in namespaces, over one Engine.IO session.
///
/// It neither sends nor waits: its shell (the actor that owns the session) does. To drive it, give it **one input**, then
/// **drain** [`next_output`](Self::next_output) and do as told, then **wait until** [`deadline`](Self::deadline) or the next
/// input, whichever is first; when it is the deadline, the input is [`tick`](Self::tick).
///
/// Inputs come from two sides: from the session ([`message`](Self::message), [`session_closed`](Self::session_closed)), and
/// from the application. The application's are about the socket that is in the namespace *now*. One namespace may see several
/// sockets in turn, so a handler that may have outlived its socket first compares [`socket`](Self::socket) with its own.
///
/// A client may leave all its namespaces and stay: as in the reference, that does not close the session.
///
/// Departures from the reference, besides the checks on packets that [`Decoder`](crate::Decoder) makes:
/// - What the client sends to a namespace after the *server* disconnected it there is ignored, until it connects anew. The
///   client cannot know yet, and the reference closes the session, with all its other namespaces.
/// - A CONNECT to a namespace that the client is connected to, or has asked for, is answered, as is a DISCONNECT before the
///   answer: pages that build themselves up twice send these. The reference closes the session, or makes two sockets of it.
/// - What the application emits before it has accepted waits and goes out behind the answer.
#[derive(Clone, Debug)]
pub struct Connection {
    config: ConnectionConfig,
    state: State<Instant>,
    outputs: OutputQueue,
}

impl Connection {
    /// A client that has said nothing yet.
    pub fn new(config: ConnectionConfig, now: Instant) -> Connection {
        Connection {
            config,
            state: State::Open(Open::new(&config, now)),
            outputs: OutputQueue::default(),
        }
    }

    /// The socket that is connected to a namespace.
    pub fn socket(&self, namespace: &NamespaceName) -> Option<&SocketId> {
        self.state.open()?.namespaces.socket(namespace)
    }

    /// All sockets that are connected.
    pub fn sockets(&self) -> impl Iterator<Item = (&NamespaceName, &SocketId)> {
        self.state
            .open()
            .into_iter()
            .flat_map(|open| open.namespaces.sockets())
    }

    /// Whether it is over: inputs change nothing any more.
    pub fn is_closed(&self) -> bool {
        self.state.open().is_none()
    }

    /// When to [`tick`](Self::tick), if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.state.open()?.deadline()
    }

    /// The next thing to do.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// The session received a message.
    pub fn message(&mut self, message: Message, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        if let Err(reason) = open.message(message, now, &self.config, &mut self.outputs) {
            self.close(reason);
        }
    }

    /// The session is over.
    pub fn session_closed(&mut self, reason: engineio::CloseReason) {
        self.end(DisconnectReason::Session(reason));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        if let Some(reason) = self.state.open().and_then(|open| open.overdue(now)) {
            self.close(reason);
        }
    }

    /// Connects the client, as it asked. `recovery` is the secret with which it may come back to this socket, if it may.
    ///
    /// What was emitted since it asked follows at once. If it has left meanwhile, the socket is told to be
    /// [disconnected](Output::Disconnected) at once, and nothing is sent.
    pub fn accept(
        &mut self,
        namespace: &NamespaceName,
        socket: SocketId,
        recovery: Option<&RecoveryId>,
    ) -> Result<(), NotConnecting> {
        let open = self.state.open_mut().ok_or(NotConnecting)?;
        open.accept(namespace, socket, recovery, &mut self.outputs)
    }

    /// Refuses to connect the client. It may ask again.
    pub fn refuse(&mut self, namespace: &NamespaceName, error: &ConnectError) -> Result<(), NotConnecting> {
        let open = self.state.open_mut().ok_or(NotConnecting)?;
        open.refuse(namespace, error, &mut self.outputs)
    }

    /// Tells the client once more that it is connected, as it [asked](Output::ConnectRepeated).
    pub fn connected_again(
        &mut self,
        namespace: &NamespaceName,
        recovery: Option<&RecoveryId>,
    ) -> Result<(), NotConnected> {
        let socket = self.socket(namespace).ok_or(NotConnected)?;
        let connected = Encoded::connected(namespace, socket, recovery);
        self.outputs.push(Output::Send(connected));
        Ok(())
    }

    /// Emits an event to the client. One that is not accepted yet hears it right after it is.
    pub fn emit(&mut self, namespace: &NamespaceName, event: &Event) -> Result<(), EmitError> {
        self.emit_encoded(namespace, Encoded::event(namespace, None, event))
    }

    /// Emits what is encoded already: an event for many, or one that is remembered.
    pub fn emit_encoded(&mut self, namespace: &NamespaceName, event: Encoded) -> Result<(), EmitError> {
        let open = self.state.open_mut().ok_or(NotConnected)?;
        if let Some(event) = open.namespaces.emit(namespace, event, &self.config)? {
            self.outputs.push(Output::Send(event));
        }
        Ok(())
    }

    /// Emits an event that the client shall answer: [`Output::Acked`] will bear the id that this returns.
    ///
    /// An answer may never come. Who waits no longer says so with [`forget_ack`](Self::forget_ack).
    pub fn emit_with_ack(&mut self, namespace: &NamespaceName, event: &Event) -> Result<AckId, EmitError> {
        let open = self.state.open_mut().ok_or(NotConnected)?;
        let id = open.next_ack();
        let encoded = Encoded::event(namespace, Some(id), event);
        if let Some(event) = open
            .namespaces
            .emit_with_ack(namespace, id, encoded, &self.config)?
        {
            self.outputs.push(Output::Send(event));
        }
        Ok(id)
    }

    /// An answer to an earlier emit is awaited, though this connection does not know: it was restored from a snapshot that was
    /// brought up to date with [`apply`](ConnectionSnapshot::apply).
    pub fn expect_ack(&mut self, namespace: &NamespaceName, id: AckId) {
        if let Some(open) = self.state.open_mut() {
            open.namespaces.expect_ack(namespace, id);
        }
    }

    /// Bytes of what the client has sent and the application is not given yet: of a packet whose attachments have not all
    /// come, and of auth payloads that wait for an answer to an earlier one.
    pub fn waiting_bytes(&self) -> usize {
        self.state.open().map_or(0, Open::waiting_bytes)
    }

    /// No longer waits for an answer; should it come it is ignored. Says whether it was waited for.
    pub fn forget_ack(&mut self, namespace: &NamespaceName, id: AckId) -> bool {
        self.state
            .open_mut()
            .is_some_and(|open| open.namespaces.forget_ack(namespace, id))
    }

    /// Answers an event of the client, once.
    pub fn ack(&mut self, namespace: &NamespaceName, id: AckId, args: &Args) -> Result<(), NotConnected> {
        self.socket(namespace).ok_or(NotConnected)?;
        self.outputs.push(Output::Send(Encoded::ack(namespace, id, args)));
        Ok(())
    }

    /// Disconnects the client from a namespace.
    pub fn disconnect(&mut self, namespace: &NamespaceName) -> Result<(), NotConnected> {
        let open = self.state.open_mut().ok_or(NotConnected)?;
        let socket = open.namespaces.dismiss(namespace)?;
        self.outputs.push_dismissal(namespace.clone(), socket);
        Ok(())
    }

    /// Disconnects the client from every namespace, as is done before the server closes a session of its own accord.
    pub fn disconnect_all(&mut self) {
        let Some(open) = self.state.open_mut() else { return };
        for (namespace, socket) in open.namespaces.dismiss_all() {
            self.outputs.push_dismissal(namespace, socket);
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.end(DisconnectReason::Session(reason.session_reason()));
        self.outputs.push(Output::Close(reason));
    }

    fn end(&mut self, reason: DisconnectReason) {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        for (namespace, socket) in open.namespaces.into_sockets() {
            self.outputs.push(Output::Disconnected {
                namespace,
                socket,
                reason,
            });
        }
    }
}
