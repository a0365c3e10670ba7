//! Frames as a server puts them on the wire: final and unmasked (RFC 6455, 5.2).

use bytes::Bytes;
use hither_engineio::{Frame, FrameKind};

use super::CloseCode;

/// What a frame is, as its first byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Pong = 0xA,
}

const FINAL: u8 = 0x80;

/// One frame, with its payload or a loan of it.
#[derive(Clone, Debug)]
pub(super) struct WireFrame<P = Bytes> {
    opcode: Opcode,
    payload: P,
}

/// The bytes before a payload: at most two and eight of length.
struct Header {
    bytes: [u8; 10],
    len: usize,
}

impl Header {
    fn new(opcode: Opcode, payload_len: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = FINAL | opcode as u8;
        let len = if let Ok(short @ 0..=125) = u8::try_from(payload_len) {
            bytes[1] = short;
            2
        } else if let Ok(medium) = u16::try_from(payload_len) {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        } else {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        };
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<'a> WireFrame<&'a Bytes> {
    /// A packet.
    pub(super) fn packet(frame: &'a Frame) -> Self {
        let opcode = match frame.kind() {
            FrameKind::Text => Opcode::Text,
            FrameKind::Binary => Opcode::Binary,
        };
        Self {
            opcode,
            payload: frame.bytes(),
        }
    }

    /// A frame to keep. Shares the payload.
    pub(super) fn into_owned(self) -> WireFrame {
        WireFrame {
            opcode: self.opcode,
            payload: self.payload.clone(),
        }
    }
}

impl WireFrame {
    /// The answer to a ping with this payload.
    pub(super) fn pong(payload: Bytes) -> Self {
        Self {
            opcode: Opcode::Pong,
            payload,
        }
    }

    /// The end of a conversation. [`CloseCode::Status`] stands for a frame without a code.
    pub(super) fn close(code: CloseCode) -> Self {
        let payload = match code {
            CloseCode::Status => Bytes::new(),
            code => Bytes::copy_from_slice(&u16::from(code).to_be_bytes()),
        };
        Self {
            opcode: Opcode::Close,
            payload,
        }
    }

    /// A loan of it.
    pub(super) fn borrowed(&self) -> WireFrame<&Bytes> {
        WireFrame {
            opcode: self.opcode,
            payload: &self.payload,
        }
    }

    pub(super) fn is_pong(&self) -> bool {
        self.opcode == Opcode::Pong
    }
}

impl<P: AsRef<[u8]>> WireFrame<P> {
    /// Bytes on the wire.
    pub(super) fn len(&self) -> usize {
        self.header().len + self.payload.as_ref().len()
    }

    /// Appends its bytes to `buffer`, without the first `skipped` and at most `limit`.
    pub(super) fn write(&self, mut skipped: usize, mut limit: usize, buffer: &mut Vec<u8>) {
        for part in [self.header().as_bytes(), self.payload.as_ref()] {
            let start = skipped.min(part.len());
            let end = part.len().min(start.saturating_add(limit));
            buffer.extend_from_slice(&part[start..end]);
            skipped -= start;
            limit -= end - start;
        }
    }

    fn header(&self) -> Header {
        Header::new(self.opcode, self.payload.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_engineio::{Message, Packet};
    use proptest::prelude::*;
    use std::io::Cursor;
    use tungstenite::protocol::{Role, WebSocket, frame::CloseFrame};

    fn parse(bytes: Vec<u8>) -> Result<tungstenite::Message, tungstenite::Error> {
        WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, None).read()
    }

    fn wire(frame: &WireFrame) -> Vec<u8> {
        let mut buffer = Vec::new();
        frame.write(0, usize::MAX, &mut buffer);
        assert_eq!(buffer.len(), frame.len());
        buffer
    }

    /// The lengths around which the header changes are likelier than chance has them.
    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![0usize..4, 124usize..128, 65_533usize..65_538, 0usize..2_000];
        (len, any::<u8>()).prop_map(|(len, seed)| (0..len).map(|at| seed.wrapping_add(at as u8)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn another_implementation_reads_what_is_written(payload in payload()) {
            let frame = Frame::message(Message::Binary(payload.clone().into()));
            let parsed = parse(wire(&WireFrame::packet(&frame).into_owned())).unwrap();
            prop_assert_eq!(parsed, tungstenite::Message::Binary(payload.clone().into()));

            let text: String = payload.iter().map(|byte| char::from(byte % 128)).collect();
            let frame = Frame::encode(&Packet::Ping(text.clone().into()));
            let parsed = parse(wire(&WireFrame::packet(&frame).into_owned())).unwrap();
            prop_assert_eq!(parsed, tungstenite::Message::text(format!("2{text}")));
        }

        #[test]
        fn pieces_add_up_to_the_whole(payload in payload(), piece in 1usize..300) {
            let frame = WireFrame::pong(payload.into());
            let mut joined = Vec::new();
            while joined.len() < frame.len() {
                frame.write(joined.len(), piece, &mut joined);
            }
            prop_assert_eq!(joined, wire(&frame));
        }
    }

    #[test]
    fn control_frames() {
        let pong = WireFrame::pong(Bytes::from_static(b"x"));
        assert_eq!(
            parse(wire(&pong)).unwrap(),
            tungstenite::Message::Pong("x".into())
        );
        let close = WireFrame::close(CloseCode::Size);
        let told = CloseFrame {
            code: CloseCode::Size,
            reason: "".into(),
        };
        assert_eq!(
            parse(wire(&close)).unwrap(),
            tungstenite::Message::Close(Some(told))
        );
        let close = WireFrame::close(CloseCode::Status);
        assert_eq!(parse(wire(&close)).unwrap(), tungstenite::Message::Close(None));
    }
}
