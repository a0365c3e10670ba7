//! HTTP/1.1 over one connection, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// More header fields than any server sends.
const MOST_HEADERS: usize = 32;

/// A connection that stays open from request to request.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    stream: TcpStream,
    inbox: BytesMut,
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// The length of the body.
    pub(crate) content_length: usize,
    /// What proves that the server has understood a WebSocket handshake.
    pub(crate) websocket_accept: Option<String>,
}

impl HttpConnection {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            inbox: BytesMut::new(),
        })
    }

    /// Sends a request and gives the body of its answer, which must have status 200.
    pub(crate) async fn request(&mut self, method: &str, path: &str, body: &str) -> Result<Bytes> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        while self.inbox.len() < head.content_length {
            self.fill().await?;
        }
        let body = self.inbox.split_to(head.content_length).freeze();
        if head.status != 200 {
            bail!(
                "{method} {path}: status {}: {}",
                head.status,
                String::from_utf8_lossy(&body)
            );
        }
        Ok(body)
    }

    /// Sends the head of a request that upgrades the connection, and gives the head of the answer, the stream, and what came behind it.
    pub(crate) async fn upgrade(mut self, request: &str) -> Result<(Head, TcpStream, BytesMut)> {
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        Ok((head, self.stream, self.inbox))
    }

    async fn head(&mut self) -> Result<Head> {
        loop {
            if let Some((head, length)) = parse(&self.inbox)? {
                self.inbox.advance(length);
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.inbox).await? == 0 {
            bail!("the server closed the connection before its answer was complete");
        }
        Ok(())
    }
}

/// The head at the begin of `bytes`, with its length, if it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        content_length: 0,
        websocket_accept: None,
    };
    for header in response.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default();
        if header.name.eq_ignore_ascii_case("content-length") {
            head.content_length = value.parse().context("the length of a body")?;
        } else if header.name.eq_ignore_ascii_case("sec-websocket-accept") {
            head.websocket_accept = Some(value.to_owned());
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a body with transfer encoding {value}, which this client does not read");
        }
    }
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
        assert!(parse(&text[..20]).unwrap().is_none());
        let (head, length) = parse(text).unwrap().unwrap();
        assert_eq!(
            (head.status, head.content_length, length),
            (200, 5, text.len() - 5)
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
