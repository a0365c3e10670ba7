//! A node that does what a test says.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Extension, extract::ConnectInfo, serve::Listener};
use bytes::Bytes;
use hither_cluster::{Incarnation, Key, NodeId, NodeName, RequestError};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{client::Client, soon};
use crate::{
    config::ServerConfig,
    ingress::{Backend, CloseCode, SocketWriter, router},
    limits::Gate,
    request::{ServiceIndex, SessionReply, SessionRequest, SocketAddress, SocketNumber},
};

/// A session id that no node has minted.
pub(super) const MADE_UP: &str = "made-up";

/// Where all requests come from, as the node sees it.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4711);

pub(super) const SERVICE: ServiceIndex = ServiceIndex(7);

/// A request to a session, which waits for the test to reply.
pub(super) struct Asked {
    pub(super) sid: Key,
    pub(super) request: SessionRequest,
    reply: oneshot::Sender<Result<SessionReply, RequestError>>,
}

impl Asked {
    pub(super) fn reply(self, reply: SessionReply) {
        drop(self.reply.send(Ok(reply)));
    }

    pub(super) fn fail(self, error: RequestError) {
        drop(self.reply.send(Err(error)));
    }
}

/// What a lane hears of a socket.
pub(super) enum SocketEvent {
    Opened(SocketAddress, SocketWriter),
    Pinged(SocketAddress, Bytes),
    Ended(SocketAddress, Option<CloseCode>),
}

#[derive(Clone)]
struct FakeBackend(Arc<Inner>);

struct Inner {
    id: NodeId,
    config: ServerConfig,
    gate: Gate,
    numbers: AtomicU64,
    asked: mpsc::UnboundedSender<Asked>,
    events: mpsc::UnboundedSender<SocketEvent>,
    tasks: TaskTracker,
    leaving: CancellationToken,
}

impl Backend for FakeBackend {
    fn node(&self) -> &NodeName {
        &self.0.id.name
    }

    fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    fn owner_of(&self, _sid: &Key) -> Option<NodeName> {
        Some(self.0.id.name.clone())
    }

    fn mint(&self) -> Key {
        Key::from(format!(
            "minted-{}",
            self.0.numbers.fetch_add(1, Ordering::Relaxed)
        ))
    }

    fn gate(&self) -> &Gate {
        &self.0.gate
    }

    fn has_minted(&self, sid: &str) -> bool {
        sid != MADE_UP
    }

    async fn request(
        &self,
        sid: &Key,
        request: SessionRequest,
        _timeout: Duration,
    ) -> Result<SessionReply, RequestError> {
        let (reply, replied) = oneshot::channel();
        drop(self.0.asked.send(Asked {
            sid: sid.clone(),
            request,
            reply,
        }));
        replied
            .await
            .unwrap_or_else(|_| Err(RequestError::Dropped(sid.clone())))
    }

    fn reserve_socket(&self, _sid: &Key) -> SocketAddress {
        let number = SocketNumber(self.0.numbers.fetch_add(1, Ordering::Relaxed));
        SocketAddress {
            ingress: self.0.id.clone(),
            number,
        }
    }

    fn socket_opened(&self, address: &SocketAddress, writer: SocketWriter) {
        drop(self.0.events.send(SocketEvent::Opened(address.clone(), writer)));
    }

    async fn socket_pinged(&self, address: &SocketAddress, payload: Bytes) {
        drop(self.0.events.send(SocketEvent::Pinged(address.clone(), payload)));
    }

    fn socket_ended(&self, address: &SocketAddress, close: Option<CloseCode>) {
        drop(self.0.events.send(SocketEvent::Ended(address.clone(), close)));
    }

    fn leaving(&self) -> &CancellationToken {
        &self.0.leaving
    }

    fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }
}

/// A node under test, and what it was asked.
pub(super) struct Node {
    address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// What was asked while the test waited for something else.
    put_off: VecDeque<Asked>,
    events: mpsc::UnboundedReceiver<SocketEvent>,
    tasks: TaskTracker,
    leaving: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Node {
    pub(super) async fn start() -> Self {
        Self::with(ServerConfig::default()).await
    }

    pub(super) async fn with(config: ServerConfig) -> Self {
        Self::serve(config, TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Listens with something that is no plain TCP to the ingress, as TLS would be.
    pub(super) async fn behind_stream() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(ServerConfig::default(), Disguised(listener))
    }

    fn serve(config: ServerConfig, listener: impl Listener<Addr = SocketAddr>) -> Self {
        let address = listener.local_addr().unwrap();
        let (asked_sender, asked) = mpsc::unbounded_channel();
        let (events_sender, events) = mpsc::unbounded_channel();
        let tasks = TaskTracker::new();
        let leaving = CancellationToken::new();
        let backend = FakeBackend(Arc::new(Inner {
            id: NodeId {
                name: "node1".parse().unwrap(),
                incarnation: Incarnation(1),
            },
            gate: Gate::new(&config.admission),
            config,
            numbers: AtomicU64::new(0),
            asked: asked_sender,
            events: events_sender,
            tasks: tasks.clone(),
            leaving: leaving.clone(),
        }));
        let router = router(backend, SERVICE, "/engine.io");
        let router = router.layer(Extension(ConnectInfo(PEER)));
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        Self {
            address,
            asked,
            put_off: VecDeque::new(),
            events,
            tasks,
            leaving,
            server,
        }
    }

    /// From now on the node is leaving.
    pub(super) fn leave(&self) {
        self.leaving.cancel();
    }

    pub(super) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// The next request to any session.
    pub(super) async fn asked(&mut self) -> Asked {
        match self.put_off.pop_front() {
            Some(asked) => asked,
            None => soon(self.asked.recv()).await.unwrap(),
        }
    }

    pub(super) fn was_asked_nothing(&mut self) -> bool {
        self.put_off.is_empty() && self.asked.try_recv().is_err()
    }

    pub(super) async fn event(&mut self) -> SocketEvent {
        soon(self.events.recv()).await.unwrap()
    }

    pub(super) fn heard_nothing(&mut self) -> bool {
        self.events.try_recv().is_err()
    }

    /// Waits for a socket to end, for what the client is told, and that the session is told as well.
    pub(super) async fn ended(&mut self) -> Option<CloseCode> {
        let SocketEvent::Ended(address, code) = self.event().await else {
            panic!("a socket did not end")
        };
        let asked = self.asked().await;
        let SessionRequest::SocketClosed { socket } = &asked.request else {
            panic!("the session was not told that its socket is gone")
        };
        assert_eq!(*socket, address);
        asked.reply(SessionReply::Done);
        code
    }

    /// Waits until no task of the ingress is left.
    pub(super) async fn idle(&self) {
        self.tasks.close();
        soon(self.tasks.wait()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Disguised(TcpListener);

impl Listener for Disguised {
    type Io = io::BufReader<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (io::BufReader::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
