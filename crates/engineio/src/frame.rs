//! Packets encoded once, for every receiver on whichever transport.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Handshake;
use crate::base64;
use crate::packet::{Message, Packet};

/// How a [`Frame`] travels on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FrameKind {
    /// As a text frame: UTF-8, with the type's digit.
    Text,
    /// As a binary frame: a message's bytes as they are.
    Binary,
}

/// A packet in the form in which a WebSocket carries it; [`payload::encode`](crate::payload::encode) makes a
/// poll's answer of it.
///
/// A clone shares the bytes, so a publish is encoded once however many sessions receive it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    kind: FrameKind,
    bytes: Bytes,
}

impl Frame {
    /// Encodes any packet.
    pub fn encode(packet: &Packet) -> Frame {
        match packet {
            Packet::Open(handshake) => Frame::text(b'0', handshake),
            Packet::Close => Frame::close(),
            Packet::Ping(data) => Frame::text(b'2', data),
            Packet::Pong(data) => Frame::text(b'3', data),
            Packet::Message(message) => Frame::message(message.clone()),
            Packet::Upgrade => Frame::of_static("5"),
            Packet::Noop => Frame::noop(),
        }
    }

    /// A message packet. Text is copied once, to stand behind its type; binary is shared.
    pub fn message(message: Message) -> Frame {
        match message {
            Message::Text(text) => Frame::text(b'4', &text),
            Message::Binary(bytes) => Frame {
                kind: FrameKind::Binary,
                bytes,
            },
        }
    }

    /// The packet that opens a session.
    pub fn open(handshake: &Handshake) -> Frame {
        Frame::text(b'0', &handshake.to_json())
    }

    /// The heartbeat's question.
    pub const fn ping() -> Frame {
        Frame::of_static("2")
    }

    /// The answer to a probe.
    pub const fn pong_probe() -> Frame {
        Frame::of_static("3probe")
    }

    /// Tells the client that the session is over.
    pub const fn close() -> Frame {
        Frame::of_static("1")
    }

    /// Ends a poll that has nothing to tell.
    pub const fn noop() -> Frame {
        Frame::of_static("6")
    }

    /// Whether a WebSocket carries it as text or as binary.
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// What a WebSocket carries: text with the type's digit, or the bytes of a binary message.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes it takes in a payload: binary is there `b` and base64. The separator between two frames is one
    /// more.
    pub const fn payload_len(&self) -> usize {
        match self.kind {
            FrameKind::Text => self.bytes.len(),
            FrameKind::Binary => 1 + base64::encoded_len(self.bytes.len()),
        }
    }

    const fn of_static(text: &'static str) -> Frame {
        Frame {
            kind: FrameKind::Text,
            bytes: Bytes::from_static(text.as_bytes()),
        }
    }

    fn text(digit: u8, data: &str) -> Frame {
        let mut bytes = Vec::with_capacity(1 + data.len());
        bytes.push(digit);
        bytes.extend_from_slice(data.as_bytes());
        Frame {
            kind: FrameKind::Text,
            bytes: bytes.into(),
        }
    }
}

/// Shows kind and length only, as [`Message`] does.
impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame::{:?}({} bytes)", self.kind, self.bytes.len())
    }
}
