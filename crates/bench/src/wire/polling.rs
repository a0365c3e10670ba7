//! A Socket.IO client by long polling, each of whose requests goes to the next server in turn.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde::Deserialize;

use super::{
    http::HttpConnection,
    packet::{self, CONNECT, DISCONNECT, Greeting, PONG, Packet},
};

/// Divides the packets of a payload.
const SEPARATOR: u8 = 0x1e;

#[derive(Deserialize)]
struct Open {
    sid: String,
}

/// A client that polls, and is connected to the default namespace.
#[derive(Debug)]
pub(crate) struct PollingSocket {
    servers: Vec<HttpConnection>,
    turn: usize,
    path: String,
    next_id: u64,
    /// The method of the last request, and what its answer was, once it has come.
    last: (&'static str, Option<Bytes>),
}

impl PollingSocket {
    /// Opens a session and connects; the first request goes to the server at `first`.
    pub(crate) async fn connect(servers: &[SocketAddr], first: usize) -> Result<Self> {
        let mut connections = Vec::with_capacity(servers.len());
        for server in servers {
            connections.push(HttpConnection::connect(*server).await?);
        }
        let path = "/socket.io/?EIO=4&transport=polling".to_owned();
        let mut socket = Self {
            servers: connections,
            turn: first,
            path,
            next_id: 0,
            last: ("", None),
        };
        let opened = socket.request("GET", "").await?;
        let Some(open) = opened.strip_prefix(b"0") else {
            bail!("no open packet: {}", String::from_utf8_lossy(&opened));
        };
        let Open { sid } = serde_json::from_slice(open).context("the open packet")?;
        socket.path.push_str("&sid=");
        socket.path.push_str(&sid);
        socket.request("POST", CONNECT).await?;
        let mut greeting = Greeting::default();
        while !greeting.is_complete() {
            for packet in socket.poll().await? {
                greeting.hear(packet)?;
            }
        }
        Ok(socket)
    }

    /// Emits an event, and polls for its ack.
    pub(crate) async fn ask(&mut self, name: &str, texts: &[&str]) -> Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        self.request("POST", &packet::event(Some(id), name, texts))
            .await?;
        while !self.poll().await?.contains(&Packet::Ack(id)) {}
        Ok(())
    }

    /// Leaves the namespace, so that the server does not wait for a return.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        self.request("POST", DISCONNECT).await?;
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<Packet>> {
        let payload = self.request("GET", "").await?;
        let packets = payload
            .split(|byte| *byte == SEPARATOR)
            .map(Packet::read)
            .collect::<Result<Vec<_>>>()?;
        if packets.contains(&Packet::Ping) {
            self.request("POST", PONG).await?;
        }
        Ok(packets)
    }

    /// How far the last request has come, for an error.
    pub(crate) fn progress(&self) -> String {
        match &self.last {
            (method, None) => format!("{method} {} has no answer", self.path),
            (method, Some(answer)) => {
                let answer = String::from_utf8_lossy(answer);
                format!("the last answer, to {method} {}, was {answer:?}", self.path)
            }
        }
    }

    async fn request(&mut self, method: &'static str, body: &str) -> Result<Bytes> {
        self.turn = (self.turn + 1) % self.servers.len();
        self.last = (method, None);
        let answer = self.servers[self.turn].request(method, &self.path, body).await?;
        self.last = (method, Some(answer.clone()));
        Ok(answer)
    }
}
