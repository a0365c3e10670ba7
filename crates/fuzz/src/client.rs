//! What clients send.

use bytes::Bytes;
use bytestring::ByteString;
use hither_engineio::{Frame, Message, Packet, payload as engine_payload};
use hither_socketio::{Decoder, Json, Offset, PacketLimits, RecoveryRequest};

/// The body of a POST. What was read is read again from what is written of it, in whatever way it was spelled before.
pub fn payload(body: &[u8]) {
    let Ok(payload) = engine_payload::decode(Bytes::copy_from_slice(body)) else {
        return;
    };
    let packets: Vec<Packet> = payload.collect();
    let frames: Vec<Frame> = packets.iter().map(Frame::encode).collect();
    let written = engine_payload::encode(&frames);
    match engine_payload::decode(written) {
        Ok(again) => assert_eq!(again.collect::<Vec<_>>(), packets),
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
}

/// Messages of a client, one a line, as Engine.IO packets that carry Socket.IO packets.
pub fn packet(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut decoder = Decoder::new(PacketLimits::default());
    for line in text.lines() {
        let Ok(Packet::Message(message)) = Packet::decode_text(ByteString::from(line)) else {
            continue;
        };
        match decoder.message(message) {
            Ok(packet) => assert!(packet.is_some() || decoder.is_mid_packet()),
            // The session ends with it.
            Err(_) => return,
        }
    }
}

/// A packet with attachments: its text is the first line, and they are the others.
pub fn placeholders(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let Some(Ok(text)) = lines.next().map(std::str::from_utf8) else {
        return;
    };
    let mut decoder = Decoder::new(PacketLimits::default());
    if decoder.message(Message::Text(text.into())).is_err() {
        return;
    }
    for attachment in lines {
        let attachment = Message::Binary(Bytes::copy_from_slice(attachment));
        if !decoder.is_mid_packet() || decoder.message(attachment).is_err() {
            return;
        }
    }
}

/// Frames of a WebSocket.
pub fn frame(bytes: &[u8]) {
    hither::fuzzing::frames(bytes);
}

/// The target and the headers of a request: its query is the first line, and they are the others.
pub fn query(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        hither::fuzzing::request(text);
    }
}

/// A session id: none is taken for one of ours that was not minted.
pub fn sid(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        hither::fuzzing::sid(text);
    }
}

/// The auth payload by which a client asks for its former socket.
pub fn pid(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(auth) = Json::new(text.to_owned()) else {
        return;
    };
    if let Some(request) = RecoveryRequest::from_auth(&auth) {
        assert!(request.pid.as_str().len() <= 128);
        if let Some(offset) = &request.offset {
            assert!(offset.as_str().len() <= 128);
            hither::fuzzing::offset(offset);
        }
    }
}

/// The offset by which it says how far it got.
pub fn offset(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        hither::fuzzing::offset(&Offset::new(text));
    }
}
