//! A client's connection that does not wait for ever to be written to.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::request_lines::RequestLines;

/// A client's connection whose writes fail when the client takes nothing for so long, and whose requests may have in their
/// targets what belongs escaped, if whoever serves it tells its [`RequestLines`] of each request.
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
    lines: RequestLines,
    /// What was read and escaped, and had no room where it was to be read to.
    escaped: Vec<u8>,
}

impl<S> ClientStream<S> {
    /// Lets a write wait for so long, and no longer.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
            lines: RequestLines::new(),
            escaped: Vec::new(),
        }
    }

    /// The request lines that come over the connection.
    pub fn request_lines(&self) -> RequestLines {
        self.lines.clone()
    }

    /// The connection as it was, and what was read of it and nobody has taken.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.escaped)
    }

    /// Gives as much as there is room for of what is escaped.
    fn give_escaped(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.escaped.len().min(buffer.remaining());
        buffer.put_slice(&self.escaped[..length]);
        self.escaped.drain(..length);
        if self.escaped.is_empty() {
            self.escaped = Vec::new();
        }
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
        if self.escaped.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            let Some(escaped) = self.lines.read(&buffer.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            buffer.set_filled(before);
            self.escaped = escaped;
        }
        self.give_escaped(buffer);
        Poll::Ready(Ok(()))
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

    #[tokio::test]
    async fn what_is_escaped_is_read_however_small_the_room_is() {
        let (server, mut client) = duplex(1024);
        let mut stream = ClientStream::new(server, PATIENCE);
        let line = b"GET /?\"<><><>\" HTTP/1.1\r\n\r\n\"body\"";
        client.write_all(line).await.unwrap();
        drop(client);
        let (mut read, mut small) = (Vec::new(), [0; 5]);
        loop {
            match stream.read(&mut small).await.unwrap() {
                0 => break,
                length => read.extend_from_slice(&small[..length]),
            }
        }
        let read = String::from_utf8(read).unwrap();
        assert_eq!(read, "GET /?%22%3C%3E%3C%3E%3C%3E%22 HTTP/1.1\r\n\r\n\"body\"");
        assert_eq!(stream.into_parts().1, b"");
    }

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
