//! Lets clients in, and sees them out.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{debug, info, warn};

use super::{
    connection::{self, Goodbyes},
    door::{Door, DoorError},
};

/// How long to wait when no connection can be accepted, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Lets clients in, and owns the tasks that serve them.
pub(crate) struct Reception {
    router: Router,
    goodbyes: Goodbyes,
    tasks: TaskTracker,
}

/// A door that lets clients in until it is dropped.
pub(crate) struct OpenDoor {
    _open: DropGuard,
}

impl Reception {
    /// Will serve what the router offers.
    pub(crate) fn new(router: Router) -> Self {
        Self {
            router,
            goodbyes: Goodbyes::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Lets clients in through a door.
    pub(crate) fn open(&self, door: Door) -> Result<OpenDoor, DoorError> {
        let listener = door.open()?;
        let shut = CancellationToken::new();
        let host = Host {
            router: self.router.clone(),
            goodbyes: self.goodbyes.clone(),
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn(host.attend(listener, shut.clone()));
        Ok(OpenDoor {
            _open: shut.drop_guard(),
        })
    }

    /// Has clients go elsewhere: each connection ends with its next answer.
    pub(crate) fn leave(&self) {
        self.goodbyes.leaving.cancel();
    }

    /// Sees everybody out whose answer is ready within the `patience`. Doors must be shut before.
    pub(crate) async fn close(self, patience: Duration) {
        self.goodbyes.closing.cancel();
        self.tasks.close();
        if timeout(patience, self.tasks.wait()).await.is_err() {
            info!(
                connections = self.tasks.len(),
                "some connections did not end in time; they end with the node"
            );
        }
    }
}

/// Stands at a door.
struct Host {
    router: Router,
    goodbyes: Goodbyes,
    tasks: TaskTracker,
}

impl Host {
    async fn attend(self, listener: TcpListener, shut: CancellationToken) {
        while let Some(accepted) = shut.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok(client) => {
                    self.serve(client);
                    // The runtime turns to the task that was spawned last: who came first is served first.
                    yield_now().await;
                }
                Err(error) if is_the_clients(&error) => debug!(%error, "a client left before it came in"),
                Err(error) => {
                    warn!(%error, "no connection can be accepted now");
                    shut.run_until_cancelled(sleep(ACCEPT_PAUSE)).await;
                }
            }
        }
        // Those who have knocked already would be turned away by the kernel.
        while let Some(Ok(client)) = listener.accept().now_or_never() {
            self.serve(client);
        }
    }

    fn serve(&self, (stream, peer): (TcpStream, SocketAddr)) {
        self.tasks.spawn(connection::serve(
            stream,
            peer,
            self.router.clone(),
            self.goodbyes.clone(),
        ));
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
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;
    use crate::http::Sharing;

    struct Open {
        reception: Reception,
        door: OpenDoor,
        address: SocketAddr,
    }

    fn open(router: Router) -> Open {
        let reception = Reception::new(router);
        let door = Door::take("127.0.0.1:0".parse().unwrap(), Sharing::Own).unwrap();
        let address = door.address();
        let door = reception.open(door).unwrap();
        Open {
            reception,
            door,
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

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
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
        open.reception.leave();
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
            reception,
            door,
            address,
        } = open(Router::new().route("/", get(wait)));
        let mut idle = TcpStream::connect(address).await.unwrap();
        let busy = tokio::spawn(async move { exchange(address, GET).await });
        asked.notified().await;
        drop(door);
        let closing = tokio::spawn(reception.close(Duration::from_secs(60)));
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        drop(idle);
        assert!(!closing.is_finished());
        answer.notify_one();
        assert!(busy.await.unwrap().ends_with("at last"));
        closing.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
