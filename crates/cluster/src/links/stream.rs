//! The connection under a link: TCP, encrypted, one that we can cut, and whose silence we can measure.
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
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::debug;

use super::{
    noise::{MAX_CHUNK, NoiseError, Opener, Sealer},
    sealed::Incoming,
};

/// Names one connection within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamId(u64);

/// The connection, as the library is given it.
pub(super) struct LinkStream {
    id: StreamId,
    tcp: TcpStream,
    sealer: Sealer,
    opener: Opener,
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
    pub(super) fn new(id: StreamId, tcp: TcpStream, sealer: Sealer, opener: Opener) -> Self {
        Self {
            id,
            tcp,
            sealer,
            opener,
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
            sealer: self.sealer,
            sealed: Vec::new(),
            written: 0,
        };
        let read = Reader {
            tcp: read,
            cut: cut(),
            incoming: Incoming::new(self.opener),
            control: self.control,
        };
        (Box::new(read), Box::new(write))
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.id.label())
    }
}

struct Reader {
    tcp: OwnedReadHalf,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    incoming: Incoming,
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
            reset(self.tcp.as_ref());
            return Poll::Ready(Ok(()));
        }
        let Self {
            tcp,
            incoming,
            control,
            ..
        } = &mut *self;
        let taken = loop {
            let taken = incoming.take(buffer);
            if taken > 0 || buffer.remaining() == 0 {
                break taken;
            }
            if incoming.open().map_err(tampered)? {
                continue;
            }
            let mut space = ReadBuf::new(incoming.space());
            ready!(Pin::new(&mut *tcp).poll_read(context, &mut space))?;
            match space.filled().len() {
                0 if incoming.is_between_chunks() => break 0,
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                length => incoming.filled(length),
            }
        };
        control.count_bytes_read(taken as u64);
        Poll::Ready(Ok(()))
    }
}

struct Writer {
    tcp: OwnedWriteHalf,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    sealer: Sealer,
    /// What is sealed, and how much of it is written.
    sealed: Vec<u8>,
    written: usize,
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

    /// Writes what is sealed.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.sealed.get(self.written..) {
            match ready!(Pin::new(&mut self.tcp).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.written += length,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Fails, when cut. What it has taken is on its way when it is flushed.
impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        ready!(self.poll_drain(context))?;
        let chunk = buffer.get(..MAX_CHUNK).unwrap_or(buffer);
        let Self {
            sealer,
            sealed,
            written,
            ..
        } = &mut *self;
        sealed.clear();
        *written = 0;
        sealer.seal(chunk, sealed).map_err(tampered)?;
        // What the kernel does not take now it takes at the next write, or at the flush.
        if let Poll::Ready(Err(error)) = self.poll_drain(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(context)?;
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

fn tampered(error: NoiseError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Makes closing drop what the kernel still holds for the peer, which may never take it, and tell the peer at once.
fn reset(tcp: &TcpStream) {
    if let Err(error) = SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
        debug!(%error, "cannot close a connection at once");
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
    use crate::links::noise::testing::ends;

    const DEADLINE: Duration = Duration::from_secs(10);

    /// One end of a connection, and the socket and keys of the other.
    async fn pair() -> (LinkStream, TcpStream, (Sealer, Opener)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let [(sealer, opener), far] = ends();
        (
            LinkStream::new(StreamId::next(), ours, sealer, opener),
            theirs,
            far,
        )
    }

    /// Both ends of a connection.
    async fn linked() -> (LinkStream, LinkStream) {
        let (ours, theirs, (sealer, opener)) = pair().await;
        (ours, LinkStream::new(StreamId::next(), theirs, sealer, opener))
    }

    #[tokio::test]
    async fn carries_both_ways_and_counts_what_it_reads() {
        let (ours, theirs) = linked().await;
        let control = ours.control();
        let (mut read, mut write) = Box::new(ours).split();
        let (mut far_read, mut far_write) = Box::new(theirs).split();
        far_write.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 5];
        read.read_exact(&mut buffer).await.unwrap();
        assert_eq!((&buffer, control.bytes_read()), (b"hello", 5));
        write.write_all(b"world").await.unwrap();
        far_read.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"world");
    }

    #[tokio::test]
    async fn carries_more_than_the_kernel_takes_at_once() {
        let (ours, theirs) = linked().await;
        let (_read, mut write) = Box::new(ours).split();
        let (mut far_read, _far_write) = Box::new(theirs).split();
        let sent: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.flush().await.unwrap();
            write.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        timeout(DEADLINE, far_read.read_to_end(&mut received))
            .await
            .expect("it ends")
            .unwrap();
        writer.await.unwrap();
        assert!(received == expected);
    }

    #[tokio::test]
    async fn nothing_can_be_read_on_the_way_nor_put_into_it() {
        let (ours, mut theirs, _) = pair().await;
        let control = ours.control();
        let (mut read, mut write) = Box::new(ours).split();
        write.write_all(b"a very secret message").await.unwrap();
        write.flush().await.unwrap();
        let mut seen = [0; 39];
        theirs.read_exact(&mut seen).await.unwrap();
        assert!(!seen.windows(6).any(|window| window == b"secret"));
        theirs.write_all(&seen).await.unwrap();
        let read = timeout(DEADLINE, read.read_u8()).await.expect("it is refused");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(control.bytes_read(), 0, "what was not opened is no sign of life");
    }

    #[tokio::test]
    async fn an_end_in_the_middle_is_an_error() {
        let (ours, mut theirs, (mut sealer, _)) = pair().await;
        let (mut read, _write) = Box::new(ours).split();
        let mut sealed = Vec::new();
        sealer.seal(b"hello", &mut sealed).unwrap();
        theirs.write_all(&sealed[..sealed.len() - 1]).await.unwrap();
        drop(theirs);
        let read = timeout(DEADLINE, read.read(&mut [0; 5])).await.expect("it ends");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_cut_ends_a_reader_that_waits_and_a_writer_that_is_stuck() {
        let (ours, mut theirs, _) = pair().await;
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
        let (ours, _theirs, _) = pair().await;
        let label = ours.peer_label().unwrap();
        assert_eq!(StreamId::from_label(&label), Some(ours.id));
        assert_eq!(StreamId::from_label("127.0.0.1:7001"), None);
    }
}
