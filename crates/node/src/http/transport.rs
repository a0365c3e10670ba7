//! What carries HTTP: a TCP connection, or TLS over one.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tracing::debug;

/// What carries HTTP.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The connection beneath.
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// TLS over TCP. Dropped before it was shut down, it is reset: what the client would not take is not left to the kernel,
/// which would keep it for as long as the client likes.
pub(super) struct TlsTransport {
    stream: TlsStream<TcpStream>,
    is_shut: bool,
}

impl TlsTransport {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self {
            stream,
            is_shut: false,
        }
    }
}

impl Transport for TlsTransport {
    fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().0
    }
}

impl Drop for TlsTransport {
    fn drop(&mut self) {
        if !self.is_shut
            && let Err(error) = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
        {
            debug!(%error, "cannot reset a connection; it is closed instead");
        }
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.is_shut |= matches!(shut, Poll::Ready(Ok(())));
        shut
    }
}
