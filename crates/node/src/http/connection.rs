//! One connection of a client, from the first request to a gentle end.

use std::{
    convert::Infallible,
    io,
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, StatusCode, header},
};
use hither::{ClientStream, OverTls, RequestLines, TooMany};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    sync::SetOnce,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::transport::{TlsTransport, Transport};

/// Most bytes of a request's headers; twice what Node.js reads.
const MAX_HEADERS: usize = 32 << 10;

/// Most headers of a request, as Node.js reads; their bytes are bounded besides.
const MAX_HEADER_COUNT: usize = 2000;

/// Most bytes that one connection buffers.
const MAX_BUFFER: usize = 64 << 10;

/// How long a client may take for its first request when the node goes: a connection that was made just before brings one.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long a client may take for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// For how many bytes a client may go on sending on a connection that is closed: as much as can be on its way meanwhile.
const LINGER_BYTES: usize = 32 << 20;

/// How long a connection that is closed is kept when the node ends: as long as a slow network needs to bring our last answer.
const LAST_LINGER: Duration = Duration::from_secs(2);

/// How long what was sent to a client may be without its word that it has it, or that it has room for more (RFC 5482). Longer
/// than a network is gone that comes back.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// After how long without a word a client is asked whether it is there, and how often. TCP asks; this costs no session
/// anything.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10));

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a request's headers; how long a connection may idle.
    pub(super) idle: Duration,
    /// For a part of an answer, when the system keeps as much as it may already.
    pub(super) stalled: Duration,
    /// To take the last answer, and to close a connection that was closed.
    pub(super) linger: Duration,
}

impl Patience {
    /// Longer than balancers and browsers keep idle connections (60 s are common), so that they close them, and not we
    /// while a request is on its way.
    pub(super) const DEFAULT: Self = Self {
        idle: Duration::from_secs(75),
        stalled: Duration::from_secs(30),
        linger: Duration::from_secs(30),
    };

    /// Of those that are not let in: headers come at once or never.
    const REFUSAL: Self = Self {
        idle: Duration::from_secs(2),
        stalled: Duration::from_secs(1),
        linger: Duration::from_secs(1),
    };
}

/// Whose connection it is.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    /// Its place at the node; none if it is only told that there is none.
    pub(super) place: Option<hither::Connection>,
}

/// What connections are told when the node goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    /// Answers from now on are the last ones on their connections.
    pub(super) leaving: CancellationToken,
    /// Who waits for no answer is not waited for.
    pub(super) closing: CancellationToken,
}

/// Serves a connection until it ends, becomes a WebSocket, or is said goodbye to.
pub(super) async fn serve(
    stream: TcpStream,
    client: Client,
    tls: Option<TlsAcceptor>,
    router: Router,
    drain: Drain,
    patience: Patience,
) {
    let peer = client.peer;
    if let Err(error) = prepare(&stream) {
        debug!(%peer, %error, "cannot set socket options on a connection");
    }
    let accepted = Instant::now();
    let Some(tls) = tls else {
        return serve_http(stream, client, router, drain, patience, accepted).await;
    };
    let greeting = async {
        match speaks_http(&stream).await? {
            true => Ok(Greeted::InTheClear(stream)),
            false => tls.accept(stream).await.map(Box::new).map(Greeted::OverTls),
        }
    };
    // One that has just come may have a request: it is given the same time as that.
    let may_close = async {
        drain.closing.cancelled().await;
        sleep_until(accepted + FIRST_REQUEST).await;
    };
    let greeted = tokio::select! {
        greeted = timeout(patience.idle.min(HANDSHAKE), greeting) => greeted,
        () = may_close => return,
    };
    match greeted {
        Ok(Ok(Greeted::OverTls(stream))) => {
            let router = router.layer(Extension(OverTls));
            let stream = TlsTransport::new(*stream);
            serve_http(stream, client, router, drain, patience, accepted).await;
        }
        Ok(Ok(Greeted::InTheClear(stream))) => {
            let router = Router::new().fallback(async || {
                let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
                (
                    StatusCode::BAD_REQUEST,
                    close,
                    "This port speaks HTTPS: use https:// or wss://\n",
                )
            });
            serve_http(stream, client, router, drain, Patience::REFUSAL, accepted).await;
        }
        Ok(Err(error)) => debug!(%peer, %error, "no TLS"),
        Err(_) => debug!(%peer, "no TLS in time"),
    }
}

/// How a client begins where TLS is spoken.
enum Greeted {
    OverTls(Box<TlsStream<TcpStream>>),
    InTheClear(TcpStream),
}

/// Whether a client begins with the name of a method, and not with a record of TLS.
async fn speaks_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let len = stream.peek(&mut first).await?;
    Ok(len == 1 && first[0].is_ascii_uppercase())
}

async fn serve_http<S: Transport>(
    stream: S,
    client: Client,
    router: Router,
    drain: Drain,
    patience: Patience,
    accepted: Instant,
) {
    let peer = client.peer;
    let closing = drain.closing.clone();
    let asked = Arc::new(SetOnce::new());
    let stream = ClientStream::new(stream, patience.stalled);
    let lines = stream.request_lines();
    let service = answering(router, client, drain.leaving, asked.clone(), lines);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .max_header_size(MAX_HEADERS)
        .max_headers(MAX_HEADER_COUNT)
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
        let (stream, _) = parts.io.into_inner().into_parts();
        linger(stream.tcp(), patience.linger, &closing).await;
    }
}

/// Tells a client that is not let in why, and when it may come again.
pub(super) async fn refuse(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    too_many: TooMany,
    drain: Drain,
) {
    let answer = async move || {
        let status = StatusCode::from_u16(too_many.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let headers = [
            (header::RETRY_AFTER, HeaderValue::from(too_many.retry_after())),
            (header::CONNECTION, HeaderValue::from_static("close")),
        ];
        (status, headers, format!("{too_many}\n"))
    };
    let client = Client { peer, place: None };
    serve(
        stream,
        client,
        tls,
        Router::new().fallback(answer),
        drain,
        Patience::REFUSAL,
    )
    .await;
}

/// What is ready is sent at once, and who takes nothing, or is gone, is noticed.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}

fn answering(
    router: Router,
    Client { peer, place }: Client,
    leaving: CancellationToken,
    asked: Arc<SetOnce<()>>,
    lines: RequestLines,
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
        lines.request(request.headers(), request.body().size_hint().exact());
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(place) = &place {
            request.extensions_mut().insert(place.clone());
        }
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
/// a body that was refused would see a broken connection instead of the refusal (RFC 9112, 9.6). And what is not sent when
/// a connection is dropped stays with the kernel for as long as the client likes: so who does not take it in time is reset.
/// When the node ends the kernel is left to it.
async fn linger(stream: &TcpStream, patience: Duration, closing: &CancellationToken) {
    let lingering = async {
        SockRef::from(stream).shutdown(Shutdown::Write)?;
        discard(stream).await
    };
    let lingering = timeout(patience, lingering);
    let at_end = async {
        closing.cancelled().await;
        sleep(LAST_LINGER).await;
    };
    tokio::select! {
        ended = lingering => match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "the client aborted the connection"),
            Err(_) => reset(stream),
        },
        () = at_end => debug!("the client did not close a connection that was closed"),
    }
}

fn reset(stream: &TcpStream) {
    debug!("the client did not acknowledge the end of a connection");
    if let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        debug!(%error, "cannot reset a connection; it is closed instead");
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::Instant,
    };

    use super::*;

    const PATIENCE: Patience = Patience {
        idle: Duration::from_millis(500),
        stalled: Duration::from_millis(500),
        linger: Duration::from_millis(500),
    };

    /// A connection that is served, and how it looks to the client.
    async fn served(router: Router) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let whose = Client { peer, place: None };
        let serving = serve(stream, whose, None, router, Drain::default(), PATIENCE);
        (client, tokio::spawn(serving))
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn who_does_not_take_an_answer_is_reset() {
        let large = || async { vec![b'x'; 32 << 20] };
        let (mut client, serving) = served(Router::new().route("/", get(large))).await;
        client.write_all(GET).await.unwrap();
        let began = Instant::now();
        timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
        assert!(began.elapsed() >= PATIENCE.stalled + PATIENCE.linger);
        let mut taken = Vec::new();
        let error = client.read_to_end(&mut taken).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(taken.len() < 32 << 20);
    }

    #[tokio::test]
    async fn who_takes_it_slowly_is_served() {
        const LENGTH: usize = 2 << 20;
        let large = || async { ([(header::CONNECTION, "close")], vec![b'x'; LENGTH]) };
        let (mut client, _serving) = served(Router::new().route("/", get(large))).await;
        client.write_all(GET).await.unwrap();
        let (mut taken, mut part) = (0, vec![0; 64 << 10]);
        loop {
            sleep(Duration::from_millis(5)).await;
            match client.read(&mut part).await.unwrap() {
                0 => break,
                length => taken += length,
            }
        }
        assert!(taken > LENGTH, "{taken}");
    }

    #[tokio::test]
    async fn accepted_sockets_notice_who_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
        assert!(socket.keepalive().unwrap());
    }
}
