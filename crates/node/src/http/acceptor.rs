//! Accepts connections, and drains them when the node leaves.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use futures_util::FutureExt;
use hither::Gate;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
    time::sleep,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{debug, error, warn};

use super::{
    connection::{self, Client, Drain, Patience},
    listener::{BoundListener, ListenError, drop_newcomers},
};
use crate::tls::Tls;

/// How long to wait when no connection can be accepted, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long handshakes under way have to complete when a listener stops: a round trip over a long line. Shorter than the second
/// after which those who were dropped meanwhile try again.
const HANDSHAKES: Duration = Duration::from_millis(500);

/// Connections at a time that are told why they are refused. More are closed without an answer.
pub(crate) const MAX_REFUSALS: usize = 64;

/// Accepts connections at listeners, and owns the tasks that serve them.
pub(crate) struct Acceptor {
    accept_loop: AcceptLoop,
}

/// A listener whose connections are accepted until it is stopped or dropped.
pub(crate) struct ActiveListener {
    active: DropGuard,
    accepting: JoinHandle<()>,
}

/// A listener that is stopping.
pub(crate) struct ClosingListener {
    accepting: JoinHandle<()>,
}

impl ActiveListener {
    /// Accepts connections whose handshake has begun, and no others.
    pub(crate) fn stop(self) -> ClosingListener {
        drop(self.active);
        ClosingListener {
            accepting: self.accepting,
        }
    }

    /// Closes the listener at once, and with it the connections that it has not accepted.
    pub(crate) fn close(self) {
        self.accepting.abort();
    }
}

impl ClosingListener {
    /// Completes when it is closed.
    pub(crate) async fn stopped(self) {
        if let Err(error) = self.accepting.await {
            error!(%error, "the task that accepts connections failed");
        }
    }
}

impl Acceptor {
    /// Will serve what the router offers; over TLS, if that is given, and over nothing else.
    pub(crate) fn new(router: Router, gate: Gate, tls: Option<Tls>) -> Self {
        Self {
            accept_loop: AcceptLoop {
                router,
                tls,
                gate,
                refusals: TaskTracker::new(),
                drain: Drain::default(),
                tasks: TaskTracker::new(),
                accepted: Arc::default(),
            },
        }
    }

    /// Listens, and serves the connections that come.
    pub(crate) fn serve(&self, listener: BoundListener) -> Result<ActiveListener, ListenError> {
        let listener = listener.listen()?;
        let shut = CancellationToken::new();
        let accepting = self.accept_loop.clone().run(listener, shut.clone());
        Ok(ActiveListener {
            active: shut.drop_guard(),
            accepting: self.accept_loop.tasks.spawn(accepting),
        })
    }

    /// How many connections have come so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accept_loop.accepted.load(Ordering::Relaxed)
    }

    /// How many connections and listeners there are.
    pub(crate) fn connections(&self) -> usize {
        self.accept_loop.tasks.len()
    }

    /// Has clients go elsewhere: each connection ends with its next answer.
    pub(crate) fn leave(&self) {
        self.accept_loop.drain.leaving.cancel();
    }

    /// Ends each connection as soon as nobody waits for an answer on it, and completes when all have ended. Listeners
    /// must be stopped before.
    pub(crate) async fn end(&self) {
        self.accept_loop.drain.closing.cancel();
        self.accept_loop.tasks.close();
        self.accept_loop.tasks.wait().await;
    }
}

/// What a task that accepts connections needs.
#[derive(Clone)]
struct AcceptLoop {
    router: Router,
    tls: Option<Tls>,
    gate: Gate,
    refusals: TaskTracker,
    drain: Drain,
    tasks: TaskTracker,
    accepted: Arc<AtomicU64>,
}

impl AcceptLoop {
    async fn run(self, listener: TcpListener, shut: CancellationToken) {
        self.accept_until(&listener, &shut).await;
        if let Err(error) = drop_newcomers(&listener) {
            warn!(%error, "cannot filter new connections; some may be reset while the listener closes");
        }
        let complete = CancellationToken::new();
        let handshakes = async {
            sleep(HANDSHAKES).await;
            complete.cancel();
        };
        tokio::join!(handshakes, self.accept_until(&listener, &complete));
        // Connections that are complete but not accepted would be reset by the kernel.
        while let Some(Ok(client)) = listener.accept().now_or_never() {
            self.spawn(client);
        }
    }

    async fn accept_until(&self, listener: &TcpListener, end: &CancellationToken) {
        while let Some(accepted) = end.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok(client) => {
                    self.spawn(client);
                    // The runtime turns to the task that was spawned last: who came first is served first.
                    yield_now().await;
                }
                Err(error) if is_the_clients(&error) => {
                    debug!(%error, "a connection ended before it was accepted")
                }
                Err(error) => {
                    warn!(%error, "cannot accept connections; trying again");
                    end.run_until_cancelled(sleep(ACCEPT_PAUSE)).await;
                }
            }
        }
    }

    fn spawn(&self, (stream, peer): (TcpStream, SocketAddr)) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let tls = self.tls.as_ref().map(Tls::acceptor);
        match self.gate.connect(peer.ip()) {
            Ok(place) => {
                let client = Client {
                    peer,
                    place: Some(place),
                };
                let (router, drain) = (self.router.clone(), self.drain.clone());
                self.tasks.spawn(connection::serve(
                    stream,
                    client,
                    tls,
                    router,
                    drain,
                    Patience::DEFAULT,
                ));
            }
            Err(too_many) if self.refusals.len() < MAX_REFUSALS => {
                let refused = connection::refuse(stream, peer, tls, too_many, self.drain.clone());
                self.tasks.spawn(self.refusals.track_future(refused));
            }
            Err(_) => debug!(%peer, "connection limit reached; closed without an answer"),
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{extract::ConnectInfo, http::StatusCode, routing::get};
    use hither::AdmissionLimits;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;
    use crate::http::Audience;

    struct Open {
        acceptor: Acceptor,
        listener: ActiveListener,
        address: SocketAddr,
    }

    fn open(router: Router) -> Open {
        open_for(router, Gate::new(&AdmissionLimits::default()))
    }

    fn open_for(router: Router, gate: Gate) -> Open {
        let acceptor = Acceptor::new(router, gate, None);
        let listener = BoundListener::bind("127.0.0.1:0".parse().unwrap(), Audience::Clients).unwrap();
        let address = listener.address();
        let listener = acceptor.serve(listener).unwrap();
        Open {
            acceptor,
            listener,
            address,
        }
    }

    /// Sends a request and reads until the server closes.
    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_node_that_is_full_says_so() {
        let limits = AdmissionLimits {
            connections: std::num::NonZeroU32::new(1),
            ..AdmissionLimits::default()
        };
        let open = open_for(
            Router::new().route("/", get(async || "hello")),
            Gate::new(&limits),
        );
        let mut first = TcpStream::connect(open.address).await.unwrap();
        first.write_all(GET.as_bytes()).await.unwrap();
        first.readable().await.unwrap();
        let answer = exchange(open.address, GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
        drop(first);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while !exchange(open.address, LAST_GET).await.ends_with("hello") {
            assert!(tokio::time::Instant::now() < deadline, "its place is never free");
        }
    }

    #[tokio::test]
    async fn more_than_can_be_told_are_closed() {
        let limits = AdmissionLimits {
            connections: std::num::NonZeroU32::new(1),
            ..AdmissionLimits::default()
        };
        let open = open_for(Router::new(), Gate::new(&limits));
        // One is let in, and these wait to be told why they are not.
        let mut waiting = Vec::new();
        for _ in 0..=MAX_REFUSALS {
            waiting.push(TcpStream::connect(open.address).await.unwrap());
        }
        let mut one_more = TcpStream::connect(open.address).await.unwrap();
        assert_eq!(one_more.read(&mut [0]).await.unwrap(), 0);
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const QUICK_GET: &str = "GET /quick HTTP/1.1\r\nhost: x\r\n\r\n";
    const LAST_GET: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn handlers_know_the_peer() {
        let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
        let open = open(Router::new().route("/", get(peer)));
        let mut client = TcpStream::connect(open.address).await.unwrap();
        client.write_all(LAST_GET.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.ends_with(&client.local_addr().unwrap().to_string()),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_refused_body_does_not_cost_the_client_the_answer() {
        let refuse = || async { ([("connection", "close")], StatusCode::PAYLOAD_TOO_LARGE) };
        let open = open(Router::new().route("/", axum::routing::post(refuse)));
        let mut client = TcpStream::connect(open.address).await.unwrap();
        let body = vec![b'x'; 4 << 20];
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        // All of it is sent before anything is read: a reset would fail the one or the other.
        client.write_all(&body).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }

    #[tokio::test]
    async fn who_sends_on_and_on_is_cut() {
        let refuse = || async { ([("connection", "close")], StatusCode::PAYLOAD_TOO_LARGE) };
        let open = open(Router::new().route("/", axum::routing::post(refuse)));
        let mut client = TcpStream::connect(open.address).await.unwrap();
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        let mut sent = 0;
        while client.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
            assert!(sent < 64 << 20, "still being read after {sent} bytes");
        }
    }

    #[tokio::test]
    async fn headers_without_end_are_refused() {
        let open = open(Router::new());
        let request = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
        let answer = exchange(open.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn when_the_node_leaves_connections_end_with_their_next_answer() {
        let open = open(Router::new().route("/", get(async || "hello")));
        let mut client = TcpStream::connect(open.address).await.unwrap();
        let mut read = async |request: &str| {
            client.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = [0; 1024];
            let len = client.read(&mut bytes).await.unwrap();
            String::from_utf8_lossy(&bytes[..len]).into_owned()
        };
        assert!(!read(GET).await.contains("connection: close"));
        open.acceptor.leave();
        assert!(read(GET).await.contains("connection: close"));
        assert!(exchange(open.address, GET).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn an_answer_under_way_is_waited_for_and_idle_connections_are_not() {
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wait = {
            let (asked, answer) = (asked.clone(), answer.clone());
            async move || {
                asked.notify_one();
                answer.notified().await;
                "at last"
            }
        };
        let Open {
            acceptor,
            listener,
            address,
        } = open(
            Router::new()
                .route("/", get(wait))
                .route("/quick", get(async || "now")),
        );
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(QUICK_GET.as_bytes()).await.unwrap();
        assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
        let busy = tokio::spawn(async move { exchange(address, GET).await });
        asked.notified().await;
        listener.stop().stopped().await;
        let closing = tokio::spawn(async move { acceptor.end().await });
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        drop(idle);
        assert!(!closing.is_finished());
        answer.notify_one();
        assert!(busy.await.unwrap().ends_with("at last"));
        closing.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn who_came_just_now_has_time_for_a_request() {
        let Open {
            acceptor,
            listener,
            address,
        } = open(Router::new().route("/", get(async || "hello")));
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        while acceptor.accepted() < 2 {
            yield_now().await;
        }
        let ending = async {
            tokio::join!(listener.stop().stopped(), acceptor.end());
        };
        let asking = async {
            sleep(Duration::from_millis(100)).await;
            client.write_all(GET.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
            assert_eq!(
                silent.read(&mut [0]).await.unwrap(),
                0,
                "who asks for nothing is sent away"
            );
            drop((client, silent));
        };
        tokio::join!(ending, asking);
    }

    #[tokio::test]
    async fn connections_that_are_complete_when_a_listener_stops_are_served() {
        let Open {
            acceptor: _reception,
            listener,
            address,
        } = open(Router::new().route("/", get(async || "hello")));
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let shutting = listener.stop();
        let late = tokio::spawn(TcpStream::connect(address));
        for mut client in clients {
            client.write_all(LAST_GET.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
        shutting.stopped().await;
        // Either it came in before, or it is refused: a connection that was made is not reset.
        if let Ok(mut late) = late.await.unwrap() {
            late.write_all(LAST_GET.as_bytes()).await.unwrap();
            let mut answer = String::new();
            late.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
    }
}
