//! Packets in the form in which Engine.IO carries them.

use std::iter;

use bytestring::ByteString;
use hither_engineio::{Frame, Message};
use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::connect_error::ConnectError;
use crate::event::Event;
use crate::ids::{AckId, RecoveryId, SocketId};
use crate::json::{Json, push_string};
use crate::namespace::NamespaceName;
use crate::packet::{Packet, PacketType};

/// An encoded packet: one text frame, and a binary frame for each attachment. They must be sent in this order, with nothing
/// between them.
///
/// A clone shares the bytes: an event for a room is encoded once, however many sockets receive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    head: Frame,
    attachments: Vec<Frame>,
}

impl Encoded {
    /// Encodes any packet.
    pub fn packet(packet: &Packet) -> Encoded {
        match packet {
            Packet::Connect { namespace, payload } => Encoded::connect(namespace, payload.as_ref()),
            Packet::Disconnect { namespace } => Encoded::disconnect(namespace),
            Packet::Event {
                namespace,
                ack,
                event,
            } => Encoded::event(namespace, *ack, event),
            Packet::Ack { namespace, id, args } => Encoded::ack(namespace, *id, args),
            Packet::ConnectError { namespace, error } => Encoded::connect_error(namespace.as_str(), error),
        }
    }

    /// The client's wish to be connected, with its auth payload.
    pub fn connect(namespace: &NamespaceName, auth: Option<&Json>) -> Encoded {
        let payload = auth.map_or("", Json::as_str);
        let mut text = start(PacketType::Connect, 0, namespace, payload.len());
        text.push_str(payload);
        Encoded::text(text)
    }

    /// The server's word that the client is connected: the socket's id, and the secret to recover it with, if it can be.
    pub fn connected(namespace: &NamespaceName, socket: &SocketId, recovery: Option<&RecoveryId>) -> Encoded {
        let mut text = start(PacketType::Connect, 0, namespace, 64);
        text.push_str("{\"sid\":");
        push_string(&mut text, socket.as_str());
        if let Some(recovery) = recovery {
            text.push_str(",\"pid\":");
            push_string(&mut text, recovery.as_str());
        }
        text.push('}');
        Encoded::text(text)
    }

    /// The server's refusal to connect the client, to what it called a namespace.
    pub fn connect_error(namespace: &str, error: &ConnectError) -> Encoded {
        let data = error.data.as_ref().map_or("", Json::as_str);
        let mut text = start_at(
            PacketType::ConnectError,
            0,
            namespace,
            error.message.len() + data.len() + 32,
        );
        text.push_str("{\"message\":");
        push_string(&mut text, &error.message);
        if !data.is_empty() {
            text.push_str(",\"data\":");
            text.push_str(data);
        }
        text.push('}');
        Encoded::text(text)
    }

    /// One side's leave of a namespace.
    pub fn disconnect(namespace: &NamespaceName) -> Encoded {
        Encoded::text(start(PacketType::Disconnect, 0, namespace, 0))
    }

    /// An event; with `ack` it asks for an answer.
    pub fn event(namespace: &NamespaceName, ack: Option<AckId>, event: &Event) -> Encoded {
        let (name, args) = (event.name.as_str(), &event.args);
        let kind = if args.attachments().is_empty() {
            PacketType::Event
        } else {
            PacketType::BinaryEvent
        };
        let mut text = start(
            kind,
            args.attachments().len(),
            namespace,
            name.len() + args.json().len() + 24,
        );
        if let Some(ack) = ack {
            text.push_str(&ack.to_string());
        }
        text.push('[');
        push_string(&mut text, name);
        if !args.is_empty() {
            text.push(',');
            text.push_str(args.elements());
        }
        text.push(']');
        Encoded::with_attachments(text, args)
    }

    /// The answer to an event.
    pub fn ack(namespace: &NamespaceName, id: AckId, args: &Args) -> Encoded {
        let kind = if args.attachments().is_empty() {
            PacketType::Ack
        } else {
            PacketType::BinaryAck
        };
        let mut text = start(kind, args.attachments().len(), namespace, args.json().len() + 20);
        text.push_str(&id.to_string());
        text.push_str(args.json());
        Encoded::with_attachments(text, args)
    }

    /// The frames, in the order in which they are to be sent.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        iter::once(&self.head).chain(&self.attachments)
    }

    /// The frames, in the order in which they are to be sent.
    pub fn into_frames(self) -> impl Iterator<Item = Frame> {
        iter::once(self.head).chain(self.attachments)
    }

    /// Bytes in all frames, as a WebSocket carries them without its own headers.
    pub fn len(&self) -> usize {
        self.frames().map(|frame| frame.bytes().len()).sum()
    }

    /// Never: each packet has a type at least.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn text(text: String) -> Encoded {
        Encoded {
            head: text_frame(text),
            attachments: Vec::new(),
        }
    }

    fn with_attachments(text: String, args: &Args) -> Encoded {
        let attachments = args
            .attachments()
            .iter()
            .map(|bytes| Frame::message(Message::Binary(bytes.clone())))
            .collect();
        Encoded {
            head: text_frame(text),
            attachments,
        }
    }
}

fn text_frame(text: String) -> Frame {
    Frame::message(Message::Text(ByteString::from(text)))
}

/// A packet's text up to the namespace, with room for `more` bytes.
fn start(kind: PacketType, attachments: usize, namespace: &NamespaceName, more: usize) -> String {
    start_at(kind, attachments, namespace.as_str(), more)
}

/// As [`start`], for what the client called a namespace.
fn start_at(kind: PacketType, attachments: usize, namespace: &str, more: usize) -> String {
    let mut text = String::with_capacity(namespace.len() + more + 8);
    text.push(kind.digit());
    if attachments > 0 {
        text.push_str(&attachments.to_string());
        text.push('-');
    }
    if namespace != NamespaceName::MAIN.as_str() {
        text.push_str(namespace);
        text.push(',');
    }
    text
}
