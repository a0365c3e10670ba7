//! What is no packet. Each of these closes the connection, and harms nobody else.

use hither_engineio::Message;
use hither_socketio::{
    DecodeError, Decoder, JsonError, NamespaceNameError, PacketLimits, PlaceholderError, ReservedName,
};

use crate::story::Story;

fn error(text: &str) -> DecodeError {
    let decoded = Decoder::new(PacketLimits::default()).message(Message::Text(text.into()));
    match decoded {
        Err(error) => error,
        Ok(packet) => panic!("{text} was taken for {packet:?}"),
    }
}

fn payload(expected: &'static str) -> DecodeError {
    DecodeError::Payload { expected }
}

const EVENT: &str = "an array with the event's name and arguments";

#[test]
fn types() {
    assert_eq!(error(""), DecodeError::Empty);
    assert_eq!(error("999"), DecodeError::UnknownType('9'));
    assert_eq!(error("7"), DecodeError::UnknownType('7'));
    assert_eq!(error("abc"), DecodeError::UnknownType('a'));
    assert_eq!(error("é"), DecodeError::UnknownType('é'));
    assert_eq!(error("-1"), DecodeError::UnknownType('-'));
}

/// The reference's parser 4.2.0 and later, and what its `Number()` lets through: nothing, space, exponents.
#[test]
fn attachment_counts() {
    for text in [
        "5",
        "51",
        "5a-",
        "51.23-",
        "5-[\"a\"]",
        "5 1-[\"a\"]",
        "51e0-[\"a\"]",
        "5+1-[\"a\"]",
        "5-1-[\"a\"]",
    ] {
        assert_eq!(error(text), DecodeError::AttachmentCount, "{text}");
    }
    for text in ["51001-[\"a\"]", "599999999999999999999999-[\"a\"]"] {
        assert_eq!(
            error(text),
            DecodeError::TooManyAttachments { max: 1_000 },
            "{text}"
        );
    }
}

/// A dash in someone's words is no attachment count.
#[test]
fn a_dash_in_text_announces_nothing() {
    let mut story = Story::connected();
    assert_eq!(story.says(r#"2["5-6"]"#), ["event / S 5-6[]"]);
    assert_eq!(story.says(r#"21["a","1-"]"#), [r#"event / S a["1-"] ack 1"#]);
    assert_eq!(story.says(r#"2["a",-1]"#), ["event / S a[-1]"]);
    assert_eq!(error(r#"5["1-2"]"#), DecodeError::AttachmentCount);
    assert_eq!(error(r#"51["a-b"]"#), DecodeError::AttachmentCount);
}

#[test]
fn payloads_of_events() {
    for text in ["2{}", "2/admin,{}", "2\"a\"", "2[]", "2null", "2[ ]"] {
        assert_eq!(error(text), payload(EVENT), "{text}");
    }
    for text in [
        "2[",
        "2[\"a\"",
        "2[\"a\",]",
        "2[\"a\"]]",
        "2/admin,\"invalid",
        "2abc[\"a\"]",
        "2[\"a\" 1]",
        "21-[\"a\"]",
    ] {
        assert!(
            matches!(error(text), DecodeError::Json(JsonError::Syntax(_))),
            "{text}"
        );
    }
    assert!(
        matches!(error("2[\"a\",\"\n\"]"), DecodeError::Json(JsonError::Syntax(_))),
        "a bare control character"
    );
}

/// socket.io-parser 4.2.3: a name that is an object could overwrite what is called with it.
#[test]
fn event_names() {
    for text in [
        r#"2[{"toString":"foo"}]"#,
        r#"2[true,"foo"]"#,
        r#"2[null,"bar"]"#,
        r#"2[["a"]]"#,
    ] {
        assert_eq!(error(text), DecodeError::EventName, "{text}");
    }
}

/// socket.io-parser 4.2.4.
#[test]
fn reserved_names() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let reserved = DecodeError::Reserved(ReservedName { name: name.into() });
        assert_eq!(error(&format!(r#"2["{name}","123"]"#)), reserved);
        assert_eq!(
            error(&format!(r#"51-["{name}",{{"_placeholder":true,"num":0}}]"#)),
            reserved
        );
    }
    let escaped = error(r#"2["\u0063onnect"]"#);
    assert_eq!(
        escaped,
        DecodeError::Reserved(ReservedName {
            name: "connect".into()
        })
    );
}

#[test]
fn payloads_of_acks() {
    for text in ["31{}", "31\"a\"", "31null", "3{}"] {
        assert_eq!(error(text), payload("an array"), "{text}");
    }
    assert!(matches!(error("31[1"), DecodeError::Json(JsonError::Syntax(_))));
}

/// socket.io-parser 4.2.4 as well: only plain objects.
#[test]
fn payloads_of_connect_and_disconnect() {
    for text in ["0[]", "0\"invalid\"", "0/admin,\"invalid\"", "0null", "0true"] {
        assert_eq!(error(text), payload("an object"), "{text}");
    }
    for text in ["0{", "0{\"a\":1}}", "0abc"] {
        assert!(
            matches!(error(text), DecodeError::Json(JsonError::Syntax(_))),
            "{text}"
        );
    }
    for text in ["1/admin,{}", "1{}", "1[]"] {
        assert_eq!(error(text), payload("absent"), "{text}");
    }
    for text in ["4", "4{}", "4{\"message\":1}"] {
        assert_eq!(error(text), payload("an object with a message"), "{text}");
    }
}

#[test]
fn namespaces() {
    let too_long = format!("1/{},", "n".repeat(256));
    assert_eq!(
        error(&too_long),
        DecodeError::Namespace(NamespaceNameError::TooLong { len: 257 })
    );
    assert_eq!(
        error("2/a\u{1e}b,[\"a\"]"),
        DecodeError::Namespace(NamespaceNameError::Control)
    );
    // To no namespace, and malformed besides.
    assert_eq!(error("0/a\u{1e}b,[]"), payload("an object"));
}

/// It swallows what follows, and nobody is connected to that.
#[test]
fn a_namespace_without_its_comma() {
    let mut story = Story::connected();
    story.says("2/[\"a\"]");
    story.assert_closed();
}

#[test]
fn what_is_deep_and_no_json() {
    assert!(matches!(
        error(&format!("2{}", "[".repeat(100_000))),
        DecodeError::Json(JsonError::Syntax(_))
    ));
}

/// socket.io-parser 4.2.1.
#[test]
fn placeholders() {
    let placeholder = |error| DecodeError::Placeholder(error);
    assert_eq!(
        error(r#"51-["hello",{"_placeholder":true,"num":"splice"}]"#),
        placeholder(PlaceholderError::NotAnIndex)
    );
    assert_eq!(
        error(r#"51-["hello",{"_placeholder":true,"num":1}]"#),
        placeholder(PlaceholderError::OutOfRange {
            index: 1,
            attachments: 1
        })
    );
    assert_eq!(
        error(r#"50-["hello",{"_placeholder":true,"num":0}]"#),
        placeholder(PlaceholderError::OutOfRange {
            index: 0,
            attachments: 0
        })
    );
}

#[test]
fn closes_the_connection_and_nothing_else() {
    let mut story = Story::connected();
    let told = story.says("2{}");
    assert_eq!(
        told,
        [
            "disconnected / S: parse error",
            "close: malformed packet: the payload must be an array with the event's name and arguments",
        ]
    );
    story.assert_closed();
}
