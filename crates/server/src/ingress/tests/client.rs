//! A client that can also do what no client should.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// What makes a GET the wish for a WebSocket, with the key of RFC 6455, 1.3.
pub(super) const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8A;

/// One connection to a node.
pub(super) struct Client {
    pub(super) stream: TcpStream,
}

/// An answer by HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    /// All values of a header, joined.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let mut values = self
            .headers
            .iter()
            .filter(|(header, _)| header == name)
            .map(|(_, value)| &**value);
        let first = values.next()?.to_owned();
        Some(values.fold(first, |joined, value| joined + ", " + value))
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
        }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a request without a body. `headers` end in a line break each.
    pub(super) async fn request(&mut self, method: &str, query: &str, headers: &str) {
        self.send(format!(
            "{method} /engine.io/?{query} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
        ))
        .await;
    }

    pub(super) async fn post(&mut self, query: &str, body: &str) {
        let length = format!("Content-Length: {}\r\n", body.len());
        self.request("POST", query, &length).await;
        self.send(body).await;
    }

    pub(super) async fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: String::new(),
        };
        if let Some(length) = answer.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            soon(self.stream.read_exact(&mut body)).await.unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    }

    /// Waits for the server to end the connection, and gives what it sent before.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        soon(self.stream.read_to_end(&mut rest)).await.unwrap();
        rest
    }

    /// Sends a WebSocket frame with this first byte.
    pub(super) async fn frame(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.send(frame(first, payload)).await;
    }

    /// The next WebSocket frame: its first byte and its payload.
    pub(super) async fn receive(&mut self) -> (u8, Vec<u8>) {
        let first = soon(self.stream.read_u8()).await.unwrap();
        let len = match soon(self.stream.read_u8()).await.unwrap() {
            126 => usize::from(soon(self.stream.read_u16()).await.unwrap()),
            127 => soon(self.stream.read_u64()).await.unwrap() as usize,
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        soon(self.stream.read_exact(&mut payload)).await.unwrap();
        (first, payload)
    }
}

/// A WebSocket frame with this first byte, masked with a mask that changes nothing.
pub(super) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
