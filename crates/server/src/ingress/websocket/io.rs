//! The two halves of an open socket.
//!
//! A TCP connection is shared: the reader's task reads it and the lane writes it directly, neither blocking. Any
//! other stream, such as TLS, belongs to two tasks, for only a task can write to it.

use std::{
    cell::RefCell,
    io::{self, Read},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, Interest, ReadBuf},
    net::TcpStream,
    sync::{SetOnce, mpsc},
    time::sleep,
};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::writer::SocketWriter;
use crate::ingress::ClientStream;

/// How long a client may take to close its side once the server has closed its own. Long enough for a close frame
/// to arrive before the connection is reset, short enough that a client which never closes costs little.
pub(super) const LINGER: Duration = Duration::from_millis(1_400);

/// Writes that a stream's task may be behind its lane. What the lane gave beyond stays with the lane's writer.
const STREAM_QUEUE: usize = 1;

/// Most bytes that one read takes.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    /// What was read stays here no longer than it takes to decode it, so that no socket holds a buffer.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Divides a connection, and gives what HTTP has read of it already. `tasks` owns what a stream's writing needs.
pub(super) fn split(upgraded: Upgraded, tasks: &TaskTracker) -> (ReadHalf, SocketWriter, Bytes) {
    let (read, write, early) = match tcp_stream(upgraded) {
        Ok((stream, early)) => {
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "cannot set TCP_NODELAY; small frames may be delayed");
            }
            let (read, write) = split_tcp(stream);
            (read, write, early)
        }
        Err(upgraded) => {
            let (read, write) = split_stream(upgraded, tasks);
            (read, write, Bytes::new())
        }
    };
    (read, SocketWriter::new(write), early)
}

pub(super) fn split_tcp(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let hang_up = HangUp::default();
    let stream = Arc::new(stream);
    let read = ReadHalf {
        source: Source::Tcp(stream.clone()),
        hang_up: hang_up.clone(),
    };
    (
        read,
        WriteHalf {
            sink: Sink::Tcp(stream),
            hang_up,
        },
    )
}

fn split_stream(upgraded: Upgraded, tasks: &TaskTracker) -> (ReadHalf, WriteHalf) {
    let hang_up = HangUp::default();
    let (read, write) = tokio::io::split(TokioIo::new(upgraded));
    let (sender, receiver) = mpsc::channel(STREAM_QUEUE);
    tasks.spawn(write_stream(write, receiver, hang_up.clone()));
    let read = ReadHalf {
        source: Source::Stream(read),
        hang_up: hang_up.clone(),
    };
    (
        read,
        WriteHalf {
            sink: Sink::Stream(sender),
            hang_up,
        },
    )
}

/// The TCP connection beneath, as `axum::serve` and as a bare hyper server wrap it.
fn tcp_stream(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<ClientStream>>() {
        Ok(parts) => {
            let (stream, more) = parts.io.into_inner().into_parts();
            return Ok((stream, [parts.read_buf, more.into()].concat().into()));
        }
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
            Ok((parts.io.into_inner(), parts.read_buf))
        }
    }
}

/// The event that the write half was dropped.
#[derive(Clone, Debug, Default)]
pub(super) struct HangUp(Arc<SetOnce<()>>);

impl HangUp {
    fn signal(&self) {
        // Signalled twice is signalled.
        drop(self.0.set(()));
    }

    /// Completes when the write half is dropped, or was before.
    pub(super) async fn wait(&self) {
        self.0.wait().await;
    }
}

/// What a socket's task reads.
pub(super) struct ReadHalf {
    source: Source,
    hang_up: HangUp,
}

enum Source {
    Tcp(Arc<TcpStream>),
    Stream(tokio::io::ReadHalf<TokioIo<Upgraded>>),
}

impl ReadHalf {
    /// Signals that the other half is dropped.
    pub(super) fn hang_up(&self) -> HangUp {
        self.hang_up.clone()
    }

    /// Has what was not taken dropped when the socket closes, and the client see it broken. Another stream than TCP decides
    /// for itself.
    pub(super) fn reset(&self) {
        if let Source::Tcp(stream) = &self.source
            && let Err(error) = SockRef::from(&**stream).set_linger(Some(Duration::ZERO))
        {
            debug!(%error, "cannot reset a socket; it is closed instead");
        }
    }

    /// Hands what has arrived to `take`; nothing at the end of the stream.
    pub(super) fn poll_read<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let len = match &mut self.source {
                Source::Tcp(stream) => ready!(poll_read_tcp(stream, context, buffer))?,
                Source::Stream(stream) => {
                    let mut buffer = ReadBuf::new(buffer);
                    ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
                    buffer.filled().len()
                }
            };
            Poll::Ready(Ok(take(&buffer[..len])))
        })
    }
}

/// Like the `poll_read` that tokio has for an owner of the stream: a read that does not fill the buffer has emptied
/// the socket, so readiness is given up with it, which spares a read that would find nothing.
fn poll_read_tcp(
    stream: &TcpStream,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        let mut read = None;
        let outcome = stream.try_io(Interest::READABLE, || {
            let len = (&*SockRef::from(stream)).read(buffer)?;
            read = Some(len);
            if (1..buffer.len()).contains(&len) {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        match (read, outcome) {
            (Some(len), _) => return Poll::Ready(Ok(len)),
            (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            (None, Err(error)) => return Poll::Ready(Err(error)),
            (None, Ok(())) => {}
        }
    }
}

/// What a socket's lane writes. Dropped, it shuts its direction down and hangs up.
#[derive(Debug)]
pub(super) struct WriteHalf {
    sink: Sink,
    hang_up: HangUp,
}

#[derive(Clone, Debug)]
enum Sink {
    Tcp(Arc<TcpStream>),
    Stream(mpsc::Sender<Bytes>),
}

impl WriteHalf {
    /// Writes what can be written without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if that is nothing; any other says that the socket is lost.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.sink {
            Sink::Tcp(stream) => stream.try_write(bytes),
            Sink::Stream(sender) => match sender.try_reserve() {
                Ok(permit) => {
                    permit.send(Bytes::copy_from_slice(bytes));
                    Ok(bytes.len())
                }
                Err(mpsc::error::TrySendError::Full(())) => Err(io::ErrorKind::WouldBlock.into()),
                Err(mpsc::error::TrySendError::Closed(())) => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    /// Completes when another try is worth it, if only to see that the socket is lost.
    pub(super) fn writable(&self) -> impl Future<Output = ()> + Send + use<> {
        let (sink, hang_up) = (self.sink.clone(), self.hang_up.clone());
        async move {
            // An error is seen again, and dealt with, by the next write.
            let writable = async {
                match &sink {
                    Sink::Tcp(stream) => drop(stream.writable().await),
                    Sink::Stream(sender) => drop(sender.reserve().await),
                }
            };
            tokio::select! {
                () = writable => {}
                () = hang_up.wait() => {}
            }
        }
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if let Sink::Tcp(stream) = &self.sink
            && let Err(error) = SockRef::from(&**stream).shutdown(Shutdown::Write)
        {
            debug!(%error, "the socket was lost before it was shut down");
        }
        self.hang_up.signal();
    }
}

/// Writes what a lane has for a stream, until it is lost or the lane drops its half.
async fn write_stream(
    mut stream: tokio::io::WriteHalf<TokioIo<Upgraded>>,
    mut queue: mpsc::Receiver<Bytes>,
    hang_up: HangUp,
) {
    let writing = async {
        while let Some(bytes) = queue.recv().await {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        stream.shutdown().await
    };
    let too_late = async {
        hang_up.wait().await;
        sleep(LINGER).await;
    };
    tokio::select! {
        result = writing => {
            if let Err(error) = result {
                debug!(%error, "the stream of a socket was lost");
            }
        }
        () = too_late => debug!("a socket did not take its last frames"),
    }
}
