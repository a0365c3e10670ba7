//! A client's connection that does not wait for ever to be written to.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// A client's connection whose writes fail when the client takes nothing for so long.
///
/// HTTP servers do not bound how long a client may take for an answer. Whoever serves [`Server::router`] over hyper may wrap
/// what it accepts in this; a WebSocket takes it apart again and minds its client by itself.
///
/// [`Server::router`]: crate::Server::router
#[derive(Debug)]
pub struct ClientStream<S = TcpStream> {
    stream: S,
    patience: Duration,
    /// While a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> ClientStream<S> {
    /// Lets a write wait for so long, and no longer.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
        }
    }

    /// The connection as it was.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Sees that a write does not wait for too long.
    fn mind<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled.as_mut().poll(context).map(|()| {
            let error = "the client takes nothing of what it is sent";
            Err(io::Error::new(io::ErrorKind::TimedOut, error))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.mind(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.mind(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.mind(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(context);
        self.mind(context, shut_down)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (server, _client) = duplex(1024);
        let mut stream = ClientStream::new(server, PATIENCE);
        let began = Instant::now();
        let error = stream.write_all(&[0; 2048]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_little_now_and_then_is_waited_for() {
        let (server, mut client) = duplex(1024);
        let mut stream = ClientStream::new(server, PATIENCE);
        let writing = tokio::spawn(async move { stream.write_all(&[0; 4096]).await });
        for _ in 0..4 {
            sleep(PATIENCE - Duration::from_secs(1)).await;
            client.read_exact(&mut [0; 1024]).await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }
}
