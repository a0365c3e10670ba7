//! Packets, and how one is read from a WebSocket frame or from an element of a payload.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::base64;

/// The data of the `ping` and `pong` packets that probe a WebSocket.
pub(crate) const PROBE: &str = "probe";

/// What the layer above sends or receives: the payload of a `message` packet.
///
/// A clone shares the bytes. A received message is a slice of the body or frame it came in and keeps that
/// alive: copy what is to be kept for long.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Plain text.
    Text(ByteString),
    /// Bytes as they are.
    Binary(Bytes),
}

impl Message {
    /// Length in bytes, without what encoding adds.
    pub fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is not a single byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shows kind and length only: messages are people's words and do not belong in logs.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Message::Binary(bytes) => write!(formatter, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// One Engine.IO packet (specification: *Protocol*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0`: the handshake, as JSON; server to client.
    Open(ByteString),
    /// `1`: the transport can be closed.
    Close,
    /// `2`: heartbeat, server to client; or, with the data `probe`, the client's question on a new WebSocket.
    Ping(ByteString),
    /// `3`: the answer to a ping, with the same data.
    Pong(ByteString),
    /// `4`, or bare bytes: what the layer above has to say.
    Message(Message),
    /// `5`: the client's last word of an upgrade.
    Upgrade,
    /// `6`: nothing; ends a poll during an upgrade.
    Noop,
}

impl Packet {
    /// Reads one text frame of a WebSocket, or one element of a payload.
    ///
    /// Data is a slice of `text`, not a copy. Data after a type that has none is ignored, as the reference
    /// server does.
    pub fn decode_text(text: ByteString) -> Result<Packet, PacketError> {
        let kind = text.chars().next().ok_or(PacketError::Empty)?;
        let data = text.slice_ref(&text[kind.len_utf8()..]);
        match kind {
            '0' => Ok(Packet::Open(data)),
            '1' => Ok(Packet::Close),
            '2' => Ok(Packet::Ping(data)),
            '3' => Ok(Packet::Pong(data)),
            '4' => Ok(Packet::Message(Message::Text(data))),
            '5' => Ok(Packet::Upgrade),
            '6' => Ok(Packet::Noop),
            'b' => {
                let bytes = base64::decode(&data).map_err(PacketError::Base64)?;
                Ok(Packet::Message(Message::Binary(bytes.into())))
            }
            unknown => Err(PacketError::UnknownType(unknown)),
        }
    }

    /// Reads one binary frame of a WebSocket, which is a message as it stands.
    pub fn decode_binary(bytes: Bytes) -> Packet {
        Packet::Message(Message::Binary(bytes))
    }
}

/// Why something is not a packet. The session it came for does not survive it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// There is not even a type.
    #[error("empty packet: it must begin with its type")]
    Empty,
    /// The first character names no type.
    #[error("unknown packet type {0:?}: it must be a digit from 0 to 6, or b for base64")]
    UnknownType(char),
    /// What follows `b` is no base64.
    #[error("a binary packet must be base64")]
    Base64(#[source] ::base64::DecodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Packet, PacketError> {
        Packet::decode_text(ByteString::from(text))
    }

    #[test]
    fn every_type_of_the_specification_is_read() {
        assert_eq!(decode("0{}"), Ok(Packet::Open("{}".into())));
        assert_eq!(decode("1"), Ok(Packet::Close));
        assert_eq!(decode("2"), Ok(Packet::Ping("".into())));
        assert_eq!(decode("2probe"), Ok(Packet::Ping("probe".into())));
        assert_eq!(decode("3probe"), Ok(Packet::Pong("probe".into())));
        assert_eq!(
            decode("4héllo"),
            Ok(Packet::Message(Message::Text("héllo".into())))
        );
        assert_eq!(decode("4"), Ok(Packet::Message(Message::Text("".into()))));
        assert_eq!(decode("5"), Ok(Packet::Upgrade));
        assert_eq!(decode("6"), Ok(Packet::Noop));
    }

    #[test]
    fn a_binary_frame_is_a_message_whatever_its_first_byte() {
        for bytes in [&b""[..], b"4hello", b"b", b"\x1e"] {
            let bytes = Bytes::from_static(bytes);
            assert_eq!(
                Packet::decode_binary(bytes.clone()),
                Packet::Message(Message::Binary(bytes))
            );
        }
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        let bytes = Packet::Message(Message::Binary(Bytes::from_static(&[1, 2, 3, 4])));
        assert_eq!(decode("bAQIDBA=="), Ok(bytes.clone()));
        assert_eq!(decode("bAQIDBA"), Ok(bytes));
        assert_eq!(decode("b"), Ok(Packet::Message(Message::Binary(Bytes::new()))));
    }

    #[test]
    fn base64_is_read_in_the_alphabet_for_addresses_and_in_lines() {
        let bytes = Packet::Message(Message::Binary(Bytes::from_static(&[0xfb, 0xff, 0xfe, 1])));
        for text in [
            "b+//+AQ==",
            "b-__-AQ==",
            "b-__-AQ",
            "b+//+\r\nAQ==\r\n",
            "b +//+ AQ==",
        ] {
            assert_eq!(decode(text), Ok(bytes.clone()), "{text:?}");
        }
    }

    #[test]
    fn base64_that_begins_with_a_type_digit_is_still_base64() {
        assert_eq!(
            decode("b4444"),
            Ok(Packet::Message(Message::Binary(Bytes::from_static(&[
                0xe3, 0x8e, 0x38
            ]))))
        );
    }

    #[test]
    fn data_after_a_type_without_data_is_ignored() {
        assert_eq!(decode("1bye"), Ok(Packet::Close));
        assert_eq!(decode("5now"), Ok(Packet::Upgrade));
        assert_eq!(decode("6-"), Ok(Packet::Noop));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(decode(""), Err(PacketError::Empty));
        assert_eq!(decode("abc"), Err(PacketError::UnknownType('a')));
        assert_eq!(decode("7"), Err(PacketError::UnknownType('7')));
        assert_eq!(decode("\u{1f9ed}"), Err(PacketError::UnknownType('\u{1f9ed}')));
        assert!(matches!(decode("b?"), Err(PacketError::Base64(_))));
    }

    #[test]
    fn data_is_a_slice_of_what_came() {
        let text = ByteString::from("4hello");
        let Ok(Packet::Message(Message::Text(data))) = Packet::decode_text(text.clone()) else {
            panic!("a text message")
        };
        assert_eq!(data.as_bytes().as_ptr(), text.as_bytes()[1..].as_ptr());
    }

    #[test]
    fn debug_does_not_tell_what_people_write() {
        assert_eq!(format!("{:?}", decode("4secret")), "Ok(Message(Text(6 bytes)))");
    }
}
