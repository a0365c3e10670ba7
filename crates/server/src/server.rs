//! Building a server, starting it, ending it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use hither_cluster::{
    Cluster, ClusterConfig, ClusterNode, Fatal, Key, NodeName, RequestError, StartError as ClusterStartError,
};
use hither_socketio::{NamespaceName, NamespaceNameError};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    config::{ServerConfig, SessionPlacement},
    engine_service::{EngineAdapter, EngineService},
    ingress::{self, Backend, CloseCode, SocketWriter},
    io::Io,
    limits::Gate,
    namespace::{Adapter, AnyNamespace, Namespace},
    request::{ServiceIndex, SessionReply, SessionRequest, SocketAddress, SocketNumber},
    session_ids::SessionIds,
    sessions::{Counters, LaneEvent, Pace, Service, Sessions, Shared},
    status::Status,
};

/// Draws for a shard of this node before any will do. With a hundred nodes one in a hundred draws is a hit.
const MAX_DRAWS: usize = 10_000;
/// Publications of tasks outside of handlers that may be on their way to lanes.
const PUBLICATIONS: usize = 1024;
/// How long sockets may take to end when the server does.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a server offers, put together step by step.
///
/// ```no_run
/// # use hither::{ConnectError, Json, Namespace, Received, Server, Socket};
/// # struct Chat;
/// # impl Namespace for Chat {
/// #     type Data = ();
/// #     async fn connect(&self, _: &mut Socket<()>, _: Option<Json>) -> Result<(), ConnectError> { Ok(()) }
/// #     async fn event(&self, _: &mut Socket<()>, _: Received) {}
/// # }
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().namespace("/chat", Chat)?.start_alone().await?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener, server.router()).await?;
/// # Ok(())
/// # }
/// ```
pub struct ServerBuilder {
    config: ServerConfig,
    path: String,
    namespaces: HashMap<NamespaceName, Arc<dyn AnyNamespace>>,
    engine_services: Vec<(String, Service)>,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node's part in the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterStartError),
}

impl ServerBuilder {
    /// How clients are treated.
    #[must_use]
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Where Socket.IO is served; `/socket.io/` unless said otherwise.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// A namespace. All nodes of a cluster must have the same.
    ///
    /// # Errors
    /// When the name is none for a namespace.
    pub fn namespace(mut self, name: &str, namespace: impl Namespace) -> Result<Self, NamespaceNameError> {
        self.namespaces
            .insert(NamespaceName::new(name)?, Arc::new(Adapter(namespace)));
        Ok(self)
    }

    /// A service of plain Engine.IO at a path of its own. All nodes of a cluster must have the same, in the same order.
    #[must_use]
    pub fn engine_service(mut self, path: impl Into<String>, service: impl EngineService) -> Self {
        self.engine_services
            .push((path.into(), Service::EngineIo(Arc::new(EngineAdapter(service)))));
        self
    }

    /// Starts the server as a cluster of one, which others cannot join.
    ///
    /// # Errors
    /// When a port cannot be opened.
    pub async fn start_alone(self) -> Result<Server, StartError> {
        self.start(ClusterConfig::alone()).await
    }

    /// Starts the server as a node of a cluster.
    ///
    /// # Errors
    /// When a port cannot be opened.
    pub async fn start(self, cluster: ClusterConfig) -> Result<Server, StartError> {
        let (paths, engine_services): (Vec<String>, Vec<Service>) = self.engine_services.into_iter().unzip();
        let services = std::iter::once(Service::SocketIo(self.namespaces))
            .chain(engine_services)
            .collect();
        let ids = Arc::new(SessionIds::new(&cluster.secrets));
        let shared = Arc::new(Shared {
            config: self.config,
            services,
            ids: ids.clone(),
            queries: Default::default(),
            presence: Arc::default(),
            counters: Counters::default(),
            lanes: cluster.lanes,
            publications: Arc::new(Semaphore::new(PUBLICATIONS)),
        });
        let gate = Gate::new(&shared.config.admission);
        let node = ClusterNode::start(cluster, |_| Sessions::new(shared.clone())).await?;
        let backend = ClusterBackend {
            cluster: node.cluster(),
            shared,
            ids,
            gate,
            sockets: Arc::default(),
            leaving: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Ok(Server {
            node,
            backend,
            paths: std::iter::once(self.path).chain(paths).collect(),
        })
    }
}

/// A Socket.IO server that runs: one node of its cluster.
pub struct Server {
    node: ClusterNode<Sessions>,
    backend: ClusterBackend,
    paths: Vec<String>,
}

impl Server {
    /// Begins a server with the reference server's settings and no namespace.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            config: ServerConfig::default(),
            path: "/socket.io/".to_owned(),
            namespaces: HashMap::new(),
            engine_services: Vec::new(),
        }
    }

    /// What is to be served over HTTP: merge it into your own router.
    ///
    /// Served with [connect info](axum::Router::into_make_service_with_connect_info) of
    /// [`SocketAddr`](std::net::SocketAddr), handshakes know the peer's address.
    pub fn router(&self) -> Router {
        self.paths
            .iter()
            .zip(0..)
            .fold(Router::new(), |router, (path, index)| {
                router.merge(ingress::router(self.backend.clone(), ServiceIndex(index), path))
            })
    }

    /// Lets clients in, as far as [`ServerConfig::admission`](crate::ServerConfig::admission) allow. Whoever accepts connections for the [router](Self::router)
    /// should ask it for each, and put what it gives into the extensions of the requests; else connections are not
    /// limited, and what is asked over them is.
    pub fn gate(&self) -> &Gate {
        &self.backend.gate
    }

    /// To speak to rooms from outside of handlers.
    pub fn io(&self) -> Io {
        Io::new(self.backend.cluster.clone(), self.backend.shared.clone())
    }

    /// Completes when this node is a full member of its cluster. Before, clients may have to wait.
    pub async fn up(&self) {
        self.node.up().await;
    }

    /// Completes when the server must end although nobody asked it to, and says why.
    pub async fn failed(&mut self) -> Fatal {
        self.node.failed().await
    }

    /// Tells how this node is.
    pub fn status(&self) -> StatusReader {
        StatusReader {
            backend: self.backend.clone(),
        }
    }

    /// Leaves the cluster so that nobody loses anything: answers the polls that hang here, hands all sessions to other
    /// nodes, moves the clients of WebSockets elsewhere, and ends. What is not done by the deadline ends with the node.
    ///
    /// Stop accepting connections before, and there is no request that is not answered. Who has to go on accepting for a
    /// while, such as behind a balancer that has yet to notice, takes the steps one by one.
    pub async fn leave(self, leave: Leave) {
        let deadline = Instant::now() + leave.deadline;
        self.release_polls();
        self.hand_off(leave.deadline).await;
        self.move_sockets(Leave {
            deadline: deadline.saturating_duration_since(Instant::now()),
            ..leave
        })
        .await;
        self.stop().await;
    }

    /// The first step of leaving: answers the polls that hang here, and has none hang any more. All else is served as
    /// before.
    pub fn release_polls(&self) {
        self.backend.leaving.cancel();
    }

    /// The second step: hands all sessions to other nodes. This node goes on passing requests to them. What could not be
    /// handed off by the deadline stays here.
    pub async fn hand_off(&self, deadline: Duration) {
        self.node.hand_off(deadline).await;
    }

    /// The third step: closes the WebSockets that landed here one after the other, so that their clients come to other
    /// nodes. Accept no connections any more by then, or they come back here.
    pub async fn move_sockets(&self, leave: Leave) {
        let deadline = Instant::now() + leave.deadline;
        let sockets = self.backend.tasks.len();
        let pace = Pace::new(leave.spread, leave.deadline);
        let Pace { over, patience } = pace;
        info!(
            sockets,
            ?over,
            ?patience,
            "moving the clients of WebSockets to other nodes"
        );
        self.backend
            .cluster
            .lanes()
            .for_each(|lane| lane.send(LaneEvent::Evict(pace)));
        self.backend.tasks.close();
        if timeout_at(
            deadline.max(Instant::now() + LAST_WORDS),
            self.backend.tasks.wait(),
        )
        .await
        .is_err()
        {
            warn!(
                sockets = self.backend.tasks.len(),
                "some sockets did not end in time; they end with the node"
            );
        }
    }

    /// The last step: ends what is still here, and takes the links to the other nodes down. Requests are answered no more.
    pub async fn stop(self) {
        self.backend
            .cluster
            .lanes()
            .for_each(|lane| lane.send(LaneEvent::Shutdown));
        self.node.stop().await;
    }
}

/// How a node leaves its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// How long it may take.
    pub deadline: Duration,
    /// Over which time the clients of WebSockets are moved, so that they do not all come to the other nodes at once. Each is
    /// moved right after it was answered a call, or within 2 s.
    pub spread: Duration,
}

impl Default for Leave {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            spread: Duration::from_secs(3),
        }
    }
}

/// Tells how a node is, from anywhere. Cheap to clone.
#[derive(Clone)]
pub struct StatusReader {
    backend: ClusterBackend,
}

impl StatusReader {
    /// How the node is now.
    pub fn read(&self) -> Status {
        let ClusterBackend {
            cluster,
            shared,
            gate,
            ..
        } = &self.backend;
        Status::of(&cluster.placement(), &shared.counters, cluster.moves_left(), gate)
    }
}

/// What the ingress reaches the cluster through.
#[derive(Clone)]
struct ClusterBackend {
    cluster: Cluster<Sessions>,
    shared: Arc<Shared>,
    ids: Arc<SessionIds>,
    gate: Gate,
    /// How many sockets have been given a number.
    sockets: Arc<AtomicU64>,
    leaving: CancellationToken,
    tasks: TaskTracker,
}

impl ClusterBackend {
    fn tell(&self, number: SocketNumber, event: LaneEvent) {
        if let Some(lane) = self.cluster.lanes().nth(number.lane()) {
            lane.send(event);
        }
    }
}

impl Backend for ClusterBackend {
    fn node(&self) -> &NodeName {
        &self.cluster.me().name
    }

    fn config(&self) -> &ServerConfig {
        &self.shared.config
    }

    fn owner_of(&self, sid: &Key) -> Option<NodeName> {
        self.cluster
            .placement()
            .owner_of(sid)
            .map(|owner| owner.name.clone())
    }

    fn mint(&self) -> Key {
        let draw = || self.ids.mint();
        let placement = self.cluster.placement();
        let owns_any = placement
            .view()
            .up()
            .any(|member| member.id == *self.cluster.me());
        if self.shared.config.placement == SessionPlacement::Spread || !owns_any {
            return draw();
        }
        let near = |key: &Key| placement.owner_of(key) == Some(self.cluster.me());
        std::iter::repeat_with(draw)
            .take(MAX_DRAWS)
            .find(near)
            .unwrap_or_else(draw)
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn has_minted(&self, sid: &str) -> bool {
        self.ids.has_minted(sid)
    }

    async fn request(
        &self,
        sid: &Key,
        request: SessionRequest,
        timeout: Duration,
    ) -> Result<SessionReply, RequestError> {
        self.cluster.request(sid, request, timeout).await
    }

    fn reserve_socket(&self, sid: &Key) -> SocketAddress {
        let number = SocketNumber::new(
            self.sockets.fetch_add(1, Ordering::Relaxed),
            self.cluster.lane_of(sid),
        );
        self.tell(
            number,
            LaneEvent::SocketReserved {
                number,
                session: sid.clone(),
            },
        );
        SocketAddress {
            ingress: self.cluster.me().clone(),
            number,
        }
    }

    fn socket_opened(&self, address: &SocketAddress, writer: SocketWriter) {
        let number = address.number;
        self.tell(number, LaneEvent::SocketOpened { number, writer });
    }

    async fn socket_pinged(&self, address: &SocketAddress, payload: Bytes) {
        let (taken, done) = oneshot::channel();
        let number = address.number;
        self.tell(
            number,
            LaneEvent::SocketPinged {
                number,
                payload,
                taken,
            },
        );
        // A lane that is gone takes its sockets with it.
        drop(done.await);
    }

    fn socket_ended(&self, address: &SocketAddress, close: Option<CloseCode>) {
        let number = address.number;
        self.tell(number, LaneEvent::SocketEnded { number, close });
    }

    fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
