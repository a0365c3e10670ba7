//! From bytes to messages.

use std::io::{self, Read, Write};

use bytes::Bytes;
use bytestring::ByteString;
use tungstenite::{
    Error, Message,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::{CloseCode, end::SocketEnd};
use crate::request::SocketFrame;

/// Bytes of frames that make a batch full: enough to spread the cost of a push, little enough for what waits at a
/// session.
const BATCH_BYTES: usize = 64 << 10;

/// What a frame costs apart from its bytes; many empty frames must make a batch full, too.
const FRAME_OVERHEAD: usize = size_of::<SocketFrame>();

/// The least that tungstenite can be made to read ahead, which is a frame's header. More would make it hold a buffer
/// for each idle socket, and with it the whole of the last message; less time would be won by it than a read takes.
const READ_AHEAD: usize = 0;

/// What was decoded since the last push.
#[derive(Default)]
pub(super) struct Batch {
    /// The client's messages.
    pub(super) frames: Vec<SocketFrame>,
    /// The latest ping: only that one wants an answer (RFC 6455, 5.5.3).
    pub(super) ping: Option<Bytes>,
    /// Why there is nothing after these frames.
    pub(super) end: Option<SocketEnd>,
    /// Whether the session is to be told that a long message gets on.
    pub(super) gets_on: bool,
    weight: usize,
}

impl Batch {
    /// Whether it is to be handed on before more is read.
    pub(super) fn is_full(&self) -> bool {
        self.weight >= BATCH_BYTES || self.end.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.has_nothing_whole() && !self.gets_on
    }

    /// Whether all that was decoded are parts of a message.
    pub(super) fn has_nothing_whole(&self) -> bool {
        self.frames.is_empty() && self.ping.is_none() && self.end.is_none()
    }

    fn push(&mut self, frame: SocketFrame, len: usize) {
        self.weight += len + FRAME_OVERHEAD;
        self.frames.push(frame);
    }
}

/// Reads frames and puts messages together, as tungstenite does.
pub(super) struct Decoder(WebSocketContext);

impl Decoder {
    /// For messages of at most `max_payload` bytes.
    pub(super) fn new(max_payload: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AHEAD)
            .max_message_size(Some(max_payload))
            .max_frame_size(Some(max_payload));
        Self(WebSocketContext::new(Role::Server, Some(config)))
    }

    /// Adds what the bytes complete to a batch. Not to be called again once the batch has an end.
    pub(super) fn feed(&mut self, bytes: &[u8], batch: &mut Batch) {
        let mut feed = Feed(bytes);
        while batch.end.is_none() {
            match self.0.read(&mut feed) {
                Ok(Message::Text(text)) => match ByteString::try_from(Bytes::from(text)) {
                    Ok(text) => {
                        let len = text.len();
                        batch.push(SocketFrame::Text(text), len);
                    }
                    Err(_) => batch.end = Some(SocketEnd::NotUtf8),
                },
                Ok(Message::Binary(bytes)) => {
                    let len = bytes.len();
                    batch.push(SocketFrame::Binary(bytes), len);
                }
                Ok(Message::Ping(payload)) => batch.ping = Some(payload),
                Ok(Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(CloseCode::Status, |frame| frame.code);
                    batch.end = Some(SocketEnd::ClosedByClient(code));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(Error::Capacity(_)) => batch.end = Some(SocketEnd::TooLarge),
                Err(Error::Utf8(_)) => batch.end = Some(SocketEnd::NotUtf8),
                Err(_) => batch.end = Some(SocketEnd::Malformed),
            }
        }
    }
}

/// Bytes as the stream that tungstenite wants. What it writes are answers to control frames, which the lane gives.
struct Feed<'a>(&'a [u8]);

impl Read for Feed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tungstenite::protocol::frame::coding::{Data, OpCode};
    use tungstenite::protocol::frame::{Frame, FrameHeader};

    const LIMIT: usize = 1000;

    fn masked(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let mask = Some([0xA5, 0x5A, 0x0F, 0xF0]);
        let header = FrameHeader {
            is_final,
            opcode,
            mask,
            ..FrameHeader::default()
        };
        let mut bytes = Vec::new();
        Frame::from_payload(header, payload.to_vec().into())
            .format(&mut bytes)
            .unwrap();
        bytes
    }

    fn text(text: &str) -> Vec<u8> {
        masked(OpCode::Data(Data::Text), true, text.as_bytes())
    }

    fn decode(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Batch {
        let (mut decoder, mut batch) = (Decoder::new(LIMIT), Batch::default());
        for piece in pieces {
            if batch.end.is_none() {
                decoder.feed(piece.as_ref(), &mut batch);
            }
        }
        batch
    }

    fn messages(batch: &Batch) -> Vec<Vec<u8>> {
        let bytes = |frame: &SocketFrame| match frame {
            SocketFrame::Text(text) => text.as_bytes().to_vec(),
            SocketFrame::Binary(bytes) => bytes.to_vec(),
        };
        batch.frames.iter().map(bytes).collect()
    }

    #[test]
    fn messages_of_just_the_limit_pass_and_longer_ones_do_not() {
        assert_eq!(messages(&decode([text(&"x".repeat(LIMIT))])), [vec![b'x'; LIMIT]]);
        let batch = decode([text("before"), text(&"x".repeat(LIMIT + 1))]);
        assert_eq!(messages(&batch), [b"before"]);
        assert_eq!(batch.end, Some(SocketEnd::TooLarge));
    }

    #[test]
    fn a_message_over_the_limit_is_not_awaited() {
        let header = &text(&"x".repeat(LIMIT + 1))[..8];
        assert_eq!(decode([header]).end, Some(SocketEnd::TooLarge));
    }

    #[test]
    fn the_limit_counts_all_fragments() {
        let half = "x".repeat(LIMIT / 2 + 1);
        let batch = decode([
            masked(OpCode::Data(Data::Text), false, half.as_bytes()),
            masked(OpCode::Data(Data::Continue), true, half.as_bytes()),
        ]);
        assert_eq!((batch.frames.len(), batch.end), (0, Some(SocketEnd::TooLarge)));
    }

    #[test]
    fn many_small_messages_make_a_batch_full() {
        let empty = masked(OpCode::Data(Data::Binary), true, b"").repeat(BATCH_BYTES);
        let batch = decode([&empty[..]]);
        assert!(batch.is_full());
        assert!(!decode([text("x")]).is_full());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_does_not_matter_how_bytes_arrive(
            sent in prop::collection::vec("[a-z€]{0,300}", 1..6),
            cut in 1usize..100,
        ) {
            let bytes: Vec<u8> = sent.iter().flat_map(|message| text(message)).collect();
            let batch = decode(bytes.chunks(cut));
            prop_assert_eq!(batch.end, None);
            prop_assert_eq!(messages(&batch), sent.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
        }

        #[test]
        fn a_message_that_is_handed_on_leaves_no_memory_behind(
            lens in prop::collection::vec(0..LIMIT, 1..6),
            cut in 1usize..100,
        ) {
            let frame = |len| masked(OpCode::Data(Data::Binary), true, &vec![0; len]);
            let bytes: Vec<u8> = lens.iter().flat_map(|&len| frame(len)).collect();
            let (mut decoder, mut batch) = (Decoder::new(LIMIT), Batch::default());
            bytes.chunks(cut).for_each(|piece| decoder.feed(piece, &mut batch));
            // Small ones may share the little room that the decoder keeps for the next header.
            let kept = batch.frames.into_iter().filter_map(|frame| match frame {
                SocketFrame::Binary(bytes) if bytes.len() > 64 => Some(bytes),
                _ => None,
            });
            for bytes in kept.collect::<Vec<_>>() {
                prop_assert!(bytes.is_unique(), "{} bytes are shared", bytes.len());
            }
        }

        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            decode([noise]);
        }
    }
}
