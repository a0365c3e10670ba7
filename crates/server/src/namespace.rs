//! What an application writes: namespaces.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use hither_socketio::{AckId, Args, ConnectError, DisconnectReason, Event, Json};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    job::{Job, Outcome, Verdict},
    room::Room,
    socket::{AckError, Socket, SocketContext},
};

/// A namespace of a Socket.IO server: what happens when a client connects, says something, leaves.
///
/// Handlers of one session run one at a time, in the order in which the client spoke; those of different sessions run side
/// by side, and one that waits holds up nobody else. One that panics ends its session. Code that blocks or computes for long
/// belongs into [`spawn_blocking`](tokio::task::spawn_blocking), as everywhere in async code: until a handler waits for the
/// first time, it runs where its session lives, and other sessions there have to wait for it.
///
/// A session moves between nodes as they come and go, so a handler must find all it needs to know of its socket in the
/// socket's `data`, which moves along. What is in `self` is each node's own.
///
/// ```
/// use hither::{ConnectError, Json, Namespace, Received, Socket};
///
/// struct Echo;
///
/// impl Namespace for Echo {
///     type Data = ();
///
///     async fn connect(&self, _: &mut Socket<()>, _: Option<Json>) -> Result<(), ConnectError> {
///         Ok(())
///     }
///
///     async fn event(&self, socket: &mut Socket<()>, received: Received) {
///         if let Err(error) = socket.ack_with(received.ack, received.event.args) {
///             tracing::warn!(%error, "no echo");
///         }
///     }
/// }
/// ```
pub trait Namespace: Send + Sync + 'static {
    /// What the application keeps of each socket. Self-describing serde types of any kind will do.
    type Data: Serialize + DeserializeOwned + Send + 'static;

    /// A client wants to connect, with this auth payload. The data for its socket lets it in.
    ///
    /// What is emitted here follows the answer.
    fn connect(
        &self,
        socket: &mut Socket<()>,
        auth: Option<Json>,
    ) -> impl Future<Output = Result<Self::Data, ConnectError>> + Send;

    /// The client emitted an event. One that cannot be served is best [rejected](Socket::reject): a client that wants an
    /// answer waits for one.
    fn event(&self, socket: &mut Socket<Self::Data>, received: Received) -> impl Future<Output = ()> + Send;

    /// The client answered an [`emit_with_ack`](Socket::emit_with_ack), or will not; `context` is what was given there.
    fn acked(
        &self,
        socket: &mut Socket<Self::Data>,
        context: Json,
        answer: Result<Args, AckError>,
    ) -> impl Future<Output = ()> + Send {
        drop((context, answer));
        let _ = socket;
        async {}
    }

    /// The socket is gone: it is in no room any more and emits reach it no more, but it can still speak to rooms.
    fn disconnect(
        &self,
        socket: &mut Socket<Self::Data>,
        reason: DisconnectReason,
    ) -> impl Future<Output = ()> + Send {
        let _ = (socket, reason);
        async {}
    }

    /// Whether clients may come back to their sockets here, where [recovery](crate::ServerConfig::recovery) is on. Without it events
    /// bear no offset, and nothing is kept of them for a client that is away.
    const RECOVERABLE: bool = true;

    /// How long a client whose connection broke may take to come back before [`disconnect`](Self::disconnect) is called.
    /// Counts only where a socket can be [recovered](Self::RECOVERABLE); a client that says goodbye is gone at once.
    const PATIENCE: Duration = Duration::ZERO;

    /// The client has come back to its socket, with the same id, rooms and data, and what it missed is on its way.
    /// `disconnected` says whether [`disconnect`](Self::disconnect) was called meanwhile.
    fn recovered(
        &self,
        socket: &mut Socket<Self::Data>,
        disconnected: bool,
    ) -> impl Future<Output = ()> + Send {
        let _ = (socket, disconnected);
        async {}
    }

    /// The application has said something to the handlers of this socket: see [`Io::tell`](crate::Io::tell).
    fn told(&self, socket: &mut Socket<Self::Data>, event: Event) -> impl Future<Output = ()> + Send {
        drop(event);
        let _ = socket;
        async {}
    }

    /// Whether the persons in this room are listed as [present](crate::Presence). Those in rooms that nobody looks at need
    /// not be.
    fn is_listed(room: &Room) -> bool {
        let _ = room;
        true
    }

    /// Whether [`relocated`](Self::relocated) is to be called.
    const FOLLOWS_WHEREABOUTS: bool = false;

    /// The session has changed its transport, its owner or the node at which it is connected.
    fn relocated(&self, socket: &mut Socket<Self::Data>) -> impl Future<Output = ()> + Send {
        let _ = socket;
        async {}
    }
}

/// An event that a client emitted.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its name and arguments.
    pub event: Event,
    /// Where the client wants an answer, if it wants one: for [`Socket::ack`].
    pub ack: Option<AckId>,
}

/// The application's data of a socket, of whatever type its namespace says.
pub(crate) type AnyData = Box<dyn Any + Send>;

/// A handler at work.
pub(crate) type Call = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A namespace whose data type is its own affair.
pub(crate) trait AnyNamespace: Send + Sync {
    fn call(self: Arc<Self>, job: Job, context: SocketContext, data: Option<AnyData>) -> Call;
    fn follows_whereabouts(&self) -> bool;
    fn is_recoverable(&self) -> bool;
    fn patience(&self) -> Duration;
    fn listed(&self) -> fn(&Room) -> bool;
    fn save(&self, data: &AnyData) -> Result<Bytes, DataError>;
    fn load(&self, bytes: &[u8]) -> Result<AnyData, DataError>;
}

/// A socket's data could not be carried to another node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("a socket's data cannot be written or read as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a socket's data is not of its namespace's type")]
    Type,
}

pub(crate) struct Adapter<N>(pub(crate) N);

impl<N: Namespace> AnyNamespace for Adapter<N> {
    fn call(self: Arc<Self>, job: Job, context: SocketContext, data: Option<AnyData>) -> Call {
        if let Job::Connect { auth, .. } = job {
            return Box::pin(async move {
                let mut socket = Socket { data: (), context };
                let result = AssertUnwindSafe(self.0.connect(&mut socket, auth))
                    .catch_unwind()
                    .await;
                let (data, verdict) = match result {
                    Ok(Ok(data)) => (Some(Box::new(data) as AnyData), Verdict::Done),
                    Ok(Err(error)) => (None, Verdict::Refused(error)),
                    Err(panic) => (None, Verdict::panicked(&*panic)),
                };
                Outcome {
                    effects: socket.context.effects,
                    data,
                    verdict,
                }
            });
        }
        let data = data.and_then(|data| data.downcast::<N::Data>().ok());
        Box::pin(async move {
            let Some(data) = data else {
                let verdict = Verdict::Panicked("the socket's data is missing".to_owned());
                return Outcome {
                    effects: context.effects,
                    data: None,
                    verdict,
                };
            };
            let mut socket = Socket { data: *data, context };
            // The socket is outside of what may panic, so its data outlives a panic.
            let result = AssertUnwindSafe(self.0.handle(&mut socket, job))
                .catch_unwind()
                .await;
            let verdict = match result {
                Ok(()) => Verdict::Done,
                Err(panic) => Verdict::panicked(&*panic),
            };
            Outcome {
                effects: socket.context.effects,
                data: Some(Box::new(socket.data)),
                verdict,
            }
        })
    }

    fn follows_whereabouts(&self) -> bool {
        N::FOLLOWS_WHEREABOUTS
    }

    fn is_recoverable(&self) -> bool {
        N::RECOVERABLE
    }

    fn patience(&self) -> Duration {
        N::PATIENCE
    }

    fn listed(&self) -> fn(&Room) -> bool {
        N::is_listed
    }

    fn save(&self, data: &AnyData) -> Result<Bytes, DataError> {
        let data = data.downcast_ref::<N::Data>().ok_or(DataError::Type)?;
        Ok(serde_json::to_vec(data)?.into())
    }

    fn load(&self, bytes: &[u8]) -> Result<AnyData, DataError> {
        Ok(Box::new(serde_json::from_slice::<N::Data>(bytes)?))
    }
}

/// Hands a job to the method that is for it.
trait Handle: Namespace {
    fn handle(&self, socket: &mut Socket<Self::Data>, job: Job) -> impl Future<Output = ()> + Send {
        async move {
            match job {
                Job::Event { event, ack, .. } => self.event(socket, Received { event, ack }).await,
                Job::Acked { context, answer, .. } => self.acked(socket, context, answer).await,
                Job::Disconnect { reason, .. } => self.disconnect(socket, reason).await,
                Job::Recovered { disconnected, .. } => self.recovered(socket, disconnected).await,
                Job::Relocated { .. } => self.relocated(socket).await,
                Job::Told { event, .. } => self.told(socket, event).await,
                // The one has no socket yet, the other no namespace.
                Job::Connect { .. } | Job::EngineMessage(_) => {}
            }
        }
    }
}

impl<N: Namespace> Handle for N {}
