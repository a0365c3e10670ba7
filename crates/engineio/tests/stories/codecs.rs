//! Whatever is encoded decodes to itself, and whatever comes does not panic.

use bytes::Bytes;
use bytestring::ByteString;
use hither_engineio::{Frame, FrameKind, Message, Packet, payload};
use proptest::prelude::*;

/// Text that may stand in a payload: there the separator ends a packet.
fn text() -> impl Strategy<Value = ByteString> {
    ".*".prop_map(|text: String| ByteString::from(text.replace('\x1e', "\u{241e}")))
}

fn packet() -> impl Strategy<Value = Packet> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    prop_oneof![
        1 => text().prop_map(Packet::Open),
        1 => Just(Packet::Close),
        1 => text().prop_map(Packet::Ping),
        1 => text().prop_map(Packet::Pong),
        4 => text().prop_map(|text| Packet::Message(Message::Text(text))),
        4 => bytes.prop_map(|bytes| Packet::Message(Message::Binary(bytes))),
        1 => Just(Packet::Upgrade),
        1 => Just(Packet::Noop),
    ]
}

/// What is accepted, in whatever spelling, is the same in our own spelling.
fn check_payload(body: Bytes) -> Option<Vec<Packet>> {
    let packets: Vec<Packet> = payload::decode(body).ok()?.collect();
    let frames: Vec<Frame> = packets.iter().map(Frame::encode).collect();
    let again = payload::decode(payload::encode(&frames)).map(Vec::from_iter);
    assert_eq!(again.as_ref(), Ok(&packets));
    Some(packets)
}

proptest! {
    #[test]
    fn a_frame_decodes_to_its_packet(packet in packet()) {
        let frame = Frame::encode(&packet);
        let decoded = match frame.kind() {
            FrameKind::Text => {
                let text = ByteString::try_from(frame.bytes().clone()).expect("a text frame is UTF-8");
                Packet::decode_text(text)
            }
            FrameKind::Binary => Ok(Packet::decode_binary(frame.bytes().clone())),
        };
        prop_assert_eq!(decoded, Ok(packet));
    }

    #[test]
    fn a_frame_survives_the_way_between_nodes(packet in packet()) {
        let config = bincode::config::standard();
        let frame = Frame::encode(&packet);
        let bytes = bincode::serde::encode_to_vec(&frame, config).expect("a frame is plain data");
        let decoded = bincode::serde::decode_from_slice::<Frame, _>(&bytes, config);
        let (copy, _) = decoded.expect("what was written");
        prop_assert_eq!(copy, frame);
    }

    #[test]
    fn a_payload_decodes_to_its_packets(packets in proptest::collection::vec(packet(), 1..20)) {
        let frames: Vec<Frame> = packets.iter().map(Frame::encode).collect();
        let body = payload::encode(&frames);
        let separators = frames.len() - 1;
        prop_assert_eq!(body.len(), frames.iter().map(Frame::payload_len).sum::<usize>() + separators);
        prop_assert_eq!(payload::decode(body).map(Vec::from_iter), Ok(packets));
    }

    #[test]
    fn any_bytes_are_a_payload_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_payload(bytes.into());
    }

    #[test]
    fn bytes_that_look_like_a_payload_are_one_or_an_error(
        elements in proptest::collection::vec("[0-7b][0-9A-Za-z+/=\u{20ac}]{0,6}", 0..8)
    ) {
        if let Some(packets) = check_payload(elements.join("\x1e").into()) {
            prop_assert_eq!(packets.len(), elements.len());
        }
    }

    #[test]
    fn any_text_is_a_packet_or_an_error(text in "[0-9a-c]?.*") {
        if let Ok(packet) = Packet::decode_text(text.clone().into()) {
            prop_assert!(text.starts_with(['0', '1', '2', '3', '4', '5', '6', 'b']), "{packet:?}");
        }
    }
}
