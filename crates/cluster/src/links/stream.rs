//! The TCP connection under a link: one that we can cut, and whose silence we can measure.
//!
//! Stopping the library's session actor is not enough to end a connection: the actor that stops kills its children,
//! and the killed do not abort the task that may be stuck in writing to a peer which does not read. So the library
//! gets its stream from us, as it allows for, and we end it below.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::debug;

/// The library reads lengths and 8 KiB chunks; this makes one system call of many.
const READ_BUFFER: usize = 64 << 10;

/// Names one connection within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamId(u64);

/// The connection, as the library is given it.
pub(super) struct LinkStream {
    id: StreamId,
    tcp: TcpStream,
    control: StreamControl,
}

/// Our hold on a connection that the library has.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamControl {
    cut: CancellationToken,
    bytes_read: Arc<AtomicU64>,
}

impl StreamId {
    /// A name that no other connection of this process has.
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Reads what [`LinkStream`] is labelled with; the label of another stream is `None`.
    pub(super) fn from_label(label: &str) -> Option<Self> {
        label.strip_prefix(LABEL)?.parse().ok().map(Self)
    }

    fn label(self) -> String {
        format!("{LABEL}{}", self.0)
    }
}

const LABEL: &str = "link stream ";

impl LinkStream {
    pub(super) fn new(id: StreamId, tcp: TcpStream) -> Self {
        Self {
            id,
            tcp,
            control: StreamControl::default(),
        }
    }

    pub(super) fn control(&self) -> StreamControl {
        self.control.clone()
    }
}

impl StreamControl {
    /// Ends the connection for both sides at once; what is under way is lost.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// Counts bytes that have come from the peer.
    pub(super) fn count_bytes_read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes have come from the peer.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

impl ClusterBidiStream for LinkStream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (read, write) = self.tcp.into_split();
        let cut = || Box::pin(self.control.cut.clone().cancelled_owned());
        let write = Writer {
            tcp: write,
            cut: cut(),
        };
        let read = Reader {
            tcp: BufReader::with_capacity(READ_BUFFER, read),
            cut: cut(),
            control: self.control,
        };
        (Box::new(read), Box::new(write))
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.id.label())
    }
}

struct Reader {
    tcp: BufReader<OwnedReadHalf>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    control: StreamControl,
}

/// Ends, when cut.
impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            reset(self.tcp.get_ref().as_ref());
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        self.control
            .count_bytes_read((buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

struct Writer {
    tcp: OwnedWriteHalf,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Writer {
    fn poll_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(context).is_pending() {
            return Ok(());
        }
        reset(self.tcp.as_ref());
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the link was cut",
        ))
    }
}

/// Fails, when cut.
impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.tcp).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// Makes closing drop what the kernel still holds for the peer, which may never take it, and tell the peer at once.
fn reset(tcp: &TcpStream) {
    if let Err(error) = SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
        debug!(%error, "the connection closes in its own time");
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    async fn pair() -> (LinkStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        (LinkStream::new(StreamId::next(), ours), theirs)
    }

    #[tokio::test]
    async fn carries_both_ways_and_counts_what_it_reads() {
        let (ours, mut theirs) = pair().await;
        let control = ours.control();
        let (mut read, mut write) = Box::new(ours).split();
        theirs.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 5];
        read.read_exact(&mut buffer).await.unwrap();
        assert_eq!((&buffer, control.bytes_read()), (b"hello", 5));
        write.write_all(b"world").await.unwrap();
        theirs.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"world");
    }

    #[tokio::test]
    async fn a_cut_ends_a_reader_that_waits_and_a_writer_that_is_stuck() {
        let (ours, mut theirs) = pair().await;
        let control = ours.control();
        let (mut read, mut write) = Box::new(ours).split();
        let reader = tokio::spawn(async move { read.read_u8().await });
        let writer = tokio::spawn(async move {
            let chunk = vec![0; 1 << 20];
            loop {
                if let Err(error) = write.write_all(&chunk).await {
                    return error.kind();
                }
            }
        });
        // The peer reads nothing, so the writer gets stuck sooner or later; the cut must work before and after.
        theirs.readable().await.unwrap();
        control.cut();
        let read = timeout(DEADLINE, reader).await.expect("the reader ends").unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let written = timeout(DEADLINE, writer).await.expect("the writer ends").unwrap();
        assert_eq!(written, io::ErrorKind::ConnectionAborted);
        let mut rest = Vec::new();
        // Whether a reset reads as an error or as the end is up to the kernel.
        drop(
            timeout(DEADLINE, theirs.read_to_end(&mut rest))
                .await
                .expect("the peer is told"),
        );
    }

    #[tokio::test]
    async fn labels_name_streams() {
        let (ours, _theirs) = pair().await;
        let label = ours.peer_label().unwrap();
        assert_eq!(StreamId::from_label(&label), Some(ours.id));
        assert_eq!(StreamId::from_label("127.0.0.1:7001"), None);
    }
}
