//! One connection of a client, from the first request to a gentle end.

use std::{
    convert::Infallible,
    io,
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::SetOnce,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long a connection may idle or take for a request's headers. Longer than balancers and browsers keep idle
/// connections (60 s are common), so that they close them, and not we while a request is on its way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Most bytes of a request's headers; twice what Node.js reads.
const MAX_HEADERS: usize = 32 << 10;

/// Most bytes that one connection buffers.
const MAX_BUFFER: usize = 64 << 10;

/// How long a client may take for its first request when the node goes: a connection that was made just before brings one.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long, and for how many bytes, a client may go on sending on a connection that is closed. As long as a slow network
/// needs to bring our last answer to it, and as much as can be on its way meanwhile.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 32 << 20;

/// What connections are told when the node goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Goodbyes {
    /// Answers from now on are the last ones on their connections.
    pub(super) leaving: CancellationToken,
    /// Who waits for no answer is not waited for.
    pub(super) closing: CancellationToken,
}

/// Serves a connection until it ends, becomes a WebSocket, or is said goodbye to.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, goodbyes: Goodbyes) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "answers may be late: the connection keeps Nagle's algorithm");
    }
    let accepted = Instant::now();
    let closing = goodbyes.closing.clone();
    let asked = Arc::new(SetOnce::new());
    let service = answering(router, peer, goodbyes.leaving, asked.clone());
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let may_close = async {
        closing.cancelled().await;
        // At the deadline it has nothing to ask.
        drop(timeout_at(accepted + FIRST_REQUEST, asked.wait()).await);
    };
    // Biased, for a request that has come is answered rather than cut off.
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = may_close => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "connection lost");
    }
    // Nothing is left here of a connection that became a WebSocket.
    if let Some(parts) = connection.into_parts() {
        linger(&parts.io.into_inner()).await;
    }
}

fn answering(
    router: Router,
    peer: SocketAddr,
    leaving: CancellationToken,
    asked: Arc<SetOnce<()>>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>> + Send,
> {
    let router = TowerToHyperService::new(router);
    service_fn(move |mut request: Request<Incoming>| {
        // Set already by any request but the first.
        drop(asked.set(()));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.call(request.map(Body::new));
        let leaving = leaving.clone();
        async move {
            let mut answer = answer.await?;
            if leaving.is_cancelled() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    })
}

/// Keeps a closed connection until the client has closed it too.
///
/// The kernel resets a connection that is dropped with bytes unread, and the reset overtakes the answer: who is still sending
/// a body that was refused would see a broken connection instead of the refusal (RFC 9112, 9.6).
async fn linger(stream: &TcpStream) {
    let lingering = async {
        SockRef::from(stream).shutdown(Shutdown::Write)?;
        discard(stream).await
    };
    match timeout(LINGER_TIME, lingering).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "the client broke the connection off"),
        Err(_) => debug!("the client did not close a connection that was closed"),
    }
}

async fn discard(stream: &TcpStream) -> io::Result<()> {
    let mut left = LINGER_BYTES;
    while left > 0 {
        stream.readable().await?;
        match read_away(stream) {
            Ok(0) => return Ok(()),
            Ok(len) => left = left.saturating_sub(len),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Not part of the future, which would keep the buffer as long as it waits.
fn read_away(stream: &TcpStream) -> io::Result<usize> {
    stream.try_read(&mut [0; 16 << 10])
}
