//! A Socket.IO client over a WebSocket.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::Bytes;

use super::{
    http::HttpConnection,
    packet::{self, CONNECT, DISCONNECT, Greeting, PONG, Packet},
    websocket::WebSocket,
};

/// A socket that is connected to the default namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    websocket: WebSocket,
    next_id: u64,
}

impl Socket {
    /// Connects, by WebSocket from the begin.
    pub(crate) async fn connect(server: SocketAddr) -> Result<Self> {
        let connection = HttpConnection::connect(server).await?;
        let mut websocket = WebSocket::open(connection, "/socket.io/?EIO=4&transport=websocket").await?;
        match Packet::read(&websocket.next().await?)? {
            Packet::Open => websocket.send(CONNECT).await?,
            other => bail!("{other:?} instead of the open packet"),
        }
        let mut socket = Self {
            websocket,
            next_id: 0,
        };
        let mut greeting = Greeting::default();
        while !greeting.is_complete() {
            greeting.hear(socket.next().await?.0)?;
        }
        Ok(socket)
    }

    /// Emits an event that awaits an ack, and gives its id.
    pub(crate) async fn emit_with_ack(&mut self, name: &str, texts: &[&str]) -> Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.websocket.send(&packet::event(Some(id), name, texts)).await?;
        Ok(id)
    }

    /// Emits an event.
    pub(crate) async fn emit(&mut self, name: &str, texts: &[&str]) -> Result<()> {
        self.websocket.send(&packet::event(None, name, texts)).await
    }

    /// Emits an event, and waits for its ack; what comes before it is ignored.
    pub(crate) async fn ask(&mut self, name: &str, texts: &[&str]) -> Result<()> {
        let id = self.emit_with_ack(name, texts).await?;
        while self.next().await?.0 != Packet::Ack(id) {}
        Ok(())
    }

    /// The next packet that is no ping, with the frame that it came in; pings are answered.
    async fn next(&mut self) -> Result<(Packet, Bytes)> {
        loop {
            match self.receive().await? {
                (Packet::Ping, _) => self.pong().await?,
                received => return Ok(received),
            }
        }
    }

    /// The next packet, with the frame that it came in. A ping is for the caller to answer. Dropped half way, it loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<(Packet, Bytes)> {
        let frame = self.websocket.next().await?;
        Ok((Packet::read(&frame)?, frame))
    }

    /// Answers a ping.
    pub(crate) async fn pong(&mut self) -> Result<()> {
        self.websocket.send(PONG).await
    }

    /// Leaves the namespace, so that the server does not wait for a return.
    pub(crate) async fn leave(mut self) -> Result<()> {
        self.websocket.send(DISCONNECT).await
    }
}
