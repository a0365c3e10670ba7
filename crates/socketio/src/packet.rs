//! What one side says to the other.

use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::connect_error::ConnectError;
use crate::event::Event;
use crate::ids::AckId;
use crate::json::Json;
use crate::namespace::NamespaceName;

/// One Socket.IO packet (specification: *Exchange protocol*), its attachments in place.
///
/// That an event or ack has attachments is a matter of encoding, so BINARY_EVENT and BINARY_ACK are no packets of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// CONNECT: the client wants to be connected to a namespace, or the server says that it is.
    Connect {
        /// Which namespace.
        namespace: NamespaceName,
        /// An object: from the client its auth payload, from the server `sid` and perhaps `pid`.
        payload: Option<Json>,
    },
    /// DISCONNECT: one side leaves a namespace.
    Disconnect {
        /// Which namespace.
        namespace: NamespaceName,
    },
    /// EVENT or BINARY_EVENT.
    Event {
        /// In which namespace.
        namespace: NamespaceName,
        /// Where to send the answer, if one is wanted.
        ack: Option<AckId>,
        /// The event.
        event: Event,
    },
    /// ACK or BINARY_ACK: the answer to an event.
    Ack {
        /// In which namespace.
        namespace: NamespaceName,
        /// Which event it answers.
        id: AckId,
        /// The answer.
        args: Args,
    },
    /// CONNECT_ERROR: the server refuses to connect the client.
    ConnectError {
        /// To which namespace.
        namespace: NamespaceName,
        /// Why.
        error: ConnectError,
    },
}

impl Packet {
    /// The namespace it is about.
    pub fn namespace(&self) -> &NamespaceName {
        match self {
            Packet::Connect { namespace, .. }
            | Packet::Disconnect { namespace }
            | Packet::Event { namespace, .. }
            | Packet::Ack { namespace, .. }
            | Packet::ConnectError { namespace, .. } => namespace,
        }
    }

    /// The arguments of an event or ack.
    pub(crate) fn args_mut(&mut self) -> Option<&mut Args> {
        match self {
            Packet::Event { event, .. } => Some(&mut event.args),
            Packet::Ack { args, .. } => Some(args),
            Packet::Connect { .. } | Packet::Disconnect { .. } | Packet::ConnectError { .. } => None,
        }
    }
}

/// The digit with which a packet begins (specification: *Packet encoding*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketType {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

impl PacketType {
    pub(crate) fn of_digit(digit: char) -> Option<PacketType> {
        Some(match digit {
            '0' => PacketType::Connect,
            '1' => PacketType::Disconnect,
            '2' => PacketType::Event,
            '3' => PacketType::Ack,
            '4' => PacketType::ConnectError,
            '5' => PacketType::BinaryEvent,
            '6' => PacketType::BinaryAck,
            _ => return None,
        })
    }

    pub(crate) const fn digit(self) -> char {
        match self {
            PacketType::Connect => '0',
            PacketType::Disconnect => '1',
            PacketType::Event => '2',
            PacketType::Ack => '3',
            PacketType::ConnectError => '4',
            PacketType::BinaryEvent => '5',
            PacketType::BinaryAck => '6',
        }
    }
}
