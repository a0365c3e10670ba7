//! A WebSocket without tasks and with small buffers.

use std::io::Cursor;

use anyhow::{Context, Result, anyhow, bail};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tungstenite::{
    handshake::{client::generate_key, derive_accept_key},
    protocol::frame::{
        FrameHeader,
        coding::{Control, Data, OpCode},
    },
};

use super::http::HttpConnection;

/// The mask of what a client sends. It guards proxies against clients that others control, so a constant will do here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: TcpStream,
    inbox: BytesMut,
    outbox: Vec<u8>,
}

impl WebSocket {
    /// Upgrades a connection.
    pub(crate) async fn open(connection: HttpConnection, path: &str) -> Result<Self> {
        let key = generate_key();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        let (head, stream, inbox) = connection.upgrade(&request).await?;
        if head.status != 101 || head.websocket_accept != Some(derive_accept_key(key.as_bytes())) {
            bail!("no WebSocket at {path}: status {}", head.status);
        }
        Ok(Self {
            stream,
            inbox,
            outbox: Vec::new(),
        })
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: &str) -> Result<()> {
        self.write(OpCode::Data(Data::Text), text.as_bytes()).await
    }

    /// The next text. What is dropped half way loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some((opcode, payload)) = self.frame()? {
                return match opcode {
                    OpCode::Data(Data::Text) => Ok(payload),
                    OpCode::Control(Control::Close) => bail!("the server closed the WebSocket: {payload:?}"),
                    other => bail!("a frame that is not expected: {other:?}"),
                };
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    fn frame(&mut self) -> Result<Option<(OpCode, Bytes)>> {
        let mut cursor = Cursor::new(&self.inbox[..]);
        let Some((header, length)) = FrameHeader::parse(&mut cursor)? else {
            return Ok(None);
        };
        let start = usize::try_from(cursor.position())?;
        let end = usize::try_from(length)?
            .checked_add(start)
            .ok_or_else(|| anyhow!("a frame of {length} bytes"))?;
        if !header.is_final {
            bail!("a fragmented message, which no server sends for payloads of this size");
        }
        if self.inbox.len() < end {
            self.inbox.reserve(end - self.inbox.len());
            return Ok(None);
        }
        self.inbox.advance(start);
        Ok(Some((header.opcode, self.inbox.split_to(end - start).freeze())))
    }

    async fn write(&mut self, opcode: OpCode, payload: &[u8]) -> Result<()> {
        let header = FrameHeader {
            opcode,
            mask: Some(MASK),
            ..FrameHeader::default()
        };
        self.outbox.clear();
        header.format(payload.len() as u64, &mut self.outbox)?;
        self.outbox.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        self.stream
            .write_all(&self.outbox)
            .await
            .context("writing to a WebSocket")
    }
}
