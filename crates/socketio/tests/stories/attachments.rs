//! Attachments on their way in: order, bounds, waiting.

use bytes::Bytes;
use hither_engineio::Message;
use hither_socketio::{ConnectionConfig, DecodeError, Decoder, PacketLimits};

use crate::story::{Story, seconds};

#[test]
fn a_packet_is_heard_when_its_last_attachment_has_come() {
    let mut story = Story::connected();
    let head = r#"52-7["a",{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}]"#;
    assert_eq!(story.says(head), [""; 0]);
    assert_eq!(story.attaches(&[1, 2]), [""; 0]);
    assert_eq!(
        story.attaches(&[3]),
        [r#"event / S a[{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}] +0102 +03 ack 7"#]
    );
    story.assert_connected();
}

#[test]
fn an_attachment_may_be_empty() {
    let mut story = Story::connected();
    assert_eq!(story.says(r#"51-["a",{"_placeholder":true,"num":0}]"#), [""; 0]);
    assert_eq!(
        story.attaches(&[]),
        [r#"event / S a[{"_placeholder":true,"num":0}] +"#]
    );
}

#[test]
fn binary_without_a_packet_closes() {
    let mut story = Story::connected();
    assert_eq!(
        story.attaches(b"world"),
        [
            "disconnected / S: parse error",
            "close: malformed packet: a binary message that no packet announced"
        ]
    );
    story.assert_closed();
}

#[test]
fn binary_before_anything_closes() {
    let mut story = Story::new();
    assert_eq!(
        story.attaches(b"world"),
        ["close: malformed packet: a binary message that no packet announced"]
    );
    story.assert_closed();
}

#[test]
fn one_attachment_too_many_closes() {
    let mut story = Story::connected();
    story.says(r#"51-["a",{"_placeholder":true,"num":0}]"#);
    assert_eq!(story.attaches(b"1").len(), 1);
    story.attaches(b"2");
    story.assert_closed();
}

#[test]
fn text_in_place_of_an_attachment_closes() {
    let mut story = Story::connected();
    story.says(r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    story.attaches(b"1");
    let told = story.says(r#"2["hello"]"#);
    assert_eq!(
        told[1],
        "close: malformed packet: a text message while 1 announced attachments are missing"
    );
    story.assert_closed();
}

/// Ten, the reference's limit, broke honest users (socket.io#5489).
#[test]
fn many_attachments_are_welcome() {
    let mut decoder = Decoder::new(PacketLimits::default());
    let placeholders: Vec<String> = (0..1_000)
        .map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#))
        .collect();
    let head = format!("51000-[\"a\",{}]", placeholders.join(","));
    assert_eq!(decoder.message(Message::Text(head.into())), Ok(None));
    for _ in 0..999 {
        assert_eq!(
            decoder.message(Message::Binary(Bytes::from_static(b"x"))),
            Ok(None)
        );
    }
    assert!(
        decoder
            .message(Message::Binary(Bytes::from_static(b"x")))
            .expect("in bounds")
            .is_some()
    );
    assert!(!decoder.is_mid_packet());
}

#[test]
fn the_limits_can_be_set() {
    let limits = PacketLimits {
        max_attachments: 2,
        max_bytes: 100,
    };
    let text = |text: &'static str| Decoder::new(limits).message(Message::Text(text.into()));
    let too_many = r#"53-["hello",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]"#;
    assert_eq!(text(too_many), Err(DecodeError::TooManyBytes { max: 100 }));
    assert_eq!(
        text(r#"53-["hello"]"#),
        Err(DecodeError::TooManyAttachments { max: 2 })
    );
    let full = format!("2[\"{}\"]", "x".repeat(95));
    assert!(Decoder::new(limits).message(Message::Text(full.into())).is_ok());
}

/// CVE-2026-33151: without a bound on all of them together, attachments that are each in bounds fill the memory.
#[test]
fn text_and_attachments_are_bounded_together() {
    let head = r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let limits = PacketLimits {
        max_attachments: 2,
        max_bytes: head.len() + 10,
    };
    let mut decoder = Decoder::new(limits);
    let binary = |len| Message::Binary(Bytes::from(vec![0; len]));
    assert_eq!(decoder.message(Message::Text(head.into())), Ok(None));
    assert_eq!(decoder.message(binary(5)), Ok(None));
    assert!(decoder.clone().message(binary(5)).is_ok());
    assert_eq!(
        decoder.message(binary(6)),
        Err(DecodeError::TooManyBytes {
            max: limits.max_bytes
        })
    );
}

#[test]
fn a_half_packet_is_not_held_for_ever() {
    let mut story = Story::connected();
    story.says(r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    assert_eq!(story.wait(seconds(59)), [""; 0]);
    story.attaches(b"1");
    assert_eq!(
        story.wait(seconds(59)),
        [""; 0],
        "each attachment has its own time"
    );
    assert_eq!(
        story.wait(seconds(1)),
        [
            "disconnected / S: forced close",
            "close: an announced attachment did not come in time"
        ]
    );
    story.assert_closed();
}

#[test]
fn a_whole_packet_ends_the_wait() {
    let attachment_timeout = seconds(1);
    let mut story = Story::with(ConnectionConfig {
        attachment_timeout,
        ..ConnectionConfig::default()
    });
    story.says("0");
    story.accepts("/", "S");
    story.says(r#"51-["a",{"_placeholder":true,"num":0}]"#);
    story.attaches(b"1");
    assert_eq!(story.connection.deadline(), None);
    assert_eq!(story.wait(seconds(3600)), [""; 0]);
    story.assert_connected();
}
