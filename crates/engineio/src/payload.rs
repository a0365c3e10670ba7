//! Payloads: several packets in one HTTP body (specification: *Packet encoding*, *HTTP long-polling*).

use bytes::Bytes;
use bytestring::ByteString;

use crate::base64;
use crate::frame::{Frame, FrameKind};
use crate::packet::{Packet, PacketError};

/// Stands between two packets of a payload.
pub const SEPARATOR: u8 = 0x1e;

/// The packets of a POST's body, each read when it is asked for: a body may hold very many, of which a session takes no more
/// at a time than it can bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// None when all are read.
    rest: Option<ByteString>,
}

impl Iterator for Payload {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        let rest = self.rest.take()?;
        let element = match rest.split_once(char::from(SEPARATOR)) {
            Some((element, others)) => {
                self.rest = Some(rest.slice_ref(others));
                rest.slice_ref(element)
            }
            None => rest,
        };
        // No error is left: all were looked at when the body was read.
        Packet::decode_text(element).ok()
    }
}

/// Reads the body of a POST. Data of text packets is a slice of `body`.
///
/// All or nothing: the reference server handles the packets before a malformed one and then closes the
/// session; here a client that is told 400 knows that nothing of the body was handled.
pub fn decode(body: Bytes) -> Result<Payload, PayloadError> {
    let body = ByteString::try_from(body).map_err(|_| PayloadError::NotUtf8)?;
    for (index, element) in body.split(char::from(SEPARATOR)).enumerate() {
        Packet::decode_text(body.slice_ref(element))
            .map_err(|source| PayloadError::Packet { index, source })?;
    }
    Ok(Payload { rest: Some(body) })
}

/// Writes the answer to a poll: text as it is, binary as `b` and base64.
///
/// No frames make an empty body, which is no payload: a poll with nothing to tell is answered with
/// [`Frame::noop`].
pub fn encode<'a>(frames: impl IntoIterator<Item = &'a Frame, IntoIter: Clone>) -> Bytes {
    let frames = frames.into_iter();
    let mut body = Vec::with_capacity(frames.clone().map(|frame| frame.payload_len() + 1).sum());
    for frame in frames {
        if !body.is_empty() {
            body.push(SEPARATOR);
        }
        match frame.kind() {
            FrameKind::Text => body.extend_from_slice(frame.bytes()),
            FrameKind::Binary => {
                body.push(b'b');
                body.extend_from_slice(base64::encode(frame.bytes()).as_bytes());
            }
        }
    }
    body.into()
}

/// Why a body is not a payload. The session it came for does not survive it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The body is no text.
    #[error("a payload must be UTF-8")]
    NotUtf8,
    /// One of its elements is no packet.
    #[error("packet {index} of the payload is malformed")]
    Packet {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        source: PacketError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn text(text: &str) -> Packet {
        Packet::Message(Message::Text(text.into()))
    }

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(
            decode(Bytes::from_static(b"4hello\x1e2\x1e4world")).map(Vec::from_iter),
            Ok(vec![text("hello"), Packet::Ping("".into()), text("world")])
        );
        let packets = [
            text("hello"),
            Packet::decode_binary(Bytes::from_static(&[1, 2, 3, 4])),
        ];
        assert_eq!(
            encode(&packets.map(|packet| Frame::encode(&packet))),
            "4hello\x1ebAQIDBA=="
        );
    }

    #[test]
    fn a_burst_is_not_cut_short() {
        let body = vec!["4x"; 5_000].join("\x1e");
        assert_eq!(decode(body.into()).map(Iterator::count), Ok(5_000));
    }

    #[test]
    fn empty_elements_are_malformed() {
        for (body, index) in [("", 0), ("4a\x1e", 1), ("\x1e4a", 0), ("4a\x1e\x1e4b", 1)] {
            let error = PayloadError::Packet {
                index,
                source: PacketError::Empty,
            };
            assert_eq!(decode(body.into()), Err(error), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_utf8_is_malformed() {
        assert_eq!(decode(Bytes::from_static(b"4\xff")), Err(PayloadError::NotUtf8));
    }

    #[test]
    fn lengths_count_bytes_and_base64() {
        let frames = [
            Frame::message(Message::Text("€".into())),
            Frame::message(Message::Binary(Bytes::from_static(&[0; 4]))),
            Frame::message(Message::Binary(Bytes::new())),
        ];
        assert_eq!(frames.each_ref().map(Frame::payload_len), [4, 9, 1]);
        assert_eq!(encode(&frames).len(), 4 + 1 + 9 + 1 + 1);
    }
}
