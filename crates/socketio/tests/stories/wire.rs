//! The examples of the specification, and of the reference parser's own tests, both ways.

use bytes::Bytes;
use hither_engineio::Message;
use hither_socketio::{
    AckId, Args, Binary, ConnectError, Decoded, Decoder, Encoded, Event, Json, NamespaceName, Packet,
    PacketLimits, RecoveryId, SocketId,
};
use serde_json::json;

use crate::moving::through_bytes;
use crate::story::{event, messages, namespace, wire};

fn decode(messages: impl IntoIterator<Item = Message>) -> Packet {
    let mut decoder = Decoder::new(PacketLimits::default());
    let mut packets = messages
        .into_iter()
        .map(|message| decoder.message(message).expect("a well-formed packet"));
    let decoded = packets.find_map(|packet| packet).expect("a whole packet");
    assert_eq!(packets.next(), None, "nothing was left");
    match decoded {
        Decoded::Packet(packet) => packet,
        Decoded::Untaken(untaken) => panic!("{untaken:?}"),
    }
}

/// That the packet is this on the wire, and that this is the packet.
fn assert_wire(packet: &Packet, expected: &str) {
    let encoded = Encoded::packet(packet);
    assert_eq!(wire(&encoded), expected);
    assert_eq!(decode(messages(&encoded)), *packet, "{expected}");
}

fn json(text: &'static str) -> Json {
    Json::new(text).expect("JSON")
}

#[test]
fn connect() {
    let main = NamespaceName::MAIN;
    assert_wire(
        &Packet::Connect {
            namespace: main.clone(),
            payload: None,
        },
        "0",
    );
    let payload = Some(json(r#"{"token":"123"}"#));
    assert_wire(
        &Packet::Connect {
            namespace: main,
            payload: payload.clone(),
        },
        r#"0{"token":"123"}"#,
    );
    assert_wire(
        &Packet::Connect {
            namespace: namespace("/admin"),
            payload,
        },
        r#"0/admin,{"token":"123"}"#,
    );
}

#[test]
fn connected() {
    let sid = SocketId::new("oSO0OpakMV_3jnilAAAA");
    let encoded = Encoded::connected(&namespace("/admin"), &sid, None);
    assert_eq!(wire(&encoded), r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#);
    let encoded = Encoded::connected(&NamespaceName::MAIN, &sid, Some(&RecoveryId::new("secret")));
    assert_eq!(
        wire(&encoded),
        r#"0{"sid":"oSO0OpakMV_3jnilAAAA","pid":"secret"}"#
    );
}

#[test]
fn connect_error() {
    let namespace = namespace("/random");
    let error = ConnectError::invalid_namespace();
    assert_wire(
        &Packet::ConnectError {
            namespace: namespace.clone(),
            error,
        },
        r#"4/random,{"message":"Invalid namespace"}"#,
    );
    let error = ConnectError::new("say \"please\"")
        .with_data(&json!({"code": 7}))
        .expect("details");
    let expected = r#"4/random,{"message":"say \"please\"","data":{"code":7}}"#;
    assert_wire(&Packet::ConnectError { namespace, error }, expected);
}

#[test]
fn disconnect() {
    assert_wire(
        &Packet::Disconnect {
            namespace: NamespaceName::MAIN,
        },
        "1",
    );
    assert_wire(
        &Packet::Disconnect {
            namespace: namespace("/woot"),
        },
        "1/woot,",
    );
}

/// The comma may be missing where nothing follows.
#[test]
fn a_namespace_may_reach_to_the_end() {
    let text = |text: &'static str| decode([Message::Text(text.into())]);
    assert_eq!(
        text("0/custom"),
        Packet::Connect {
            namespace: namespace("/custom"),
            payload: None
        }
    );
    assert_eq!(
        text("1/custom"),
        Packet::Disconnect {
            namespace: namespace("/custom")
        }
    );
    assert_eq!(
        text("0/"),
        Packet::Connect {
            namespace: NamespaceName::MAIN,
            payload: None
        }
    );
    assert_eq!(
        text("0/,{}"),
        Packet::Connect {
            namespace: NamespaceName::MAIN,
            payload: Some(json("{}"))
        }
    );
}

#[test]
fn events() {
    let main = NamespaceName::MAIN;
    let packet = |namespace, ack: Option<u64>, event| Packet::Event {
        namespace,
        ack: ack.map(AckId::new),
        event,
    };
    assert_wire(&packet(main.clone(), None, event("foo", ())), r#"2["foo"]"#);
    assert_wire(
        &packet(main.clone(), None, event("a", (1, json!({})))),
        r#"2["a",1,{}]"#,
    );
    assert_wire(
        &packet(namespace("/admin"), None, event("bar", ())),
        r#"2/admin,["bar"]"#,
    );
    assert_wire(&packet(main.clone(), Some(12), event("foo", ())), r#"212["foo"]"#);
    assert_wire(
        &packet(namespace("/test"), Some(1), event("a", (1, json!({})))),
        r#"2/test,1["a",1,{}]"#,
    );
    assert_wire(
        &packet(main.clone(), Some(u64::MAX), event("foo", 1)),
        r#"218446744073709551615["foo",1]"#,
    );
    assert_wire(
        &packet(main, None, event("\"q\\\u{1}ü", ())),
        r#"2["\"q\\\u0001ü"]"#,
    );
}

#[test]
fn binary_events() {
    let bytes = |bytes: &'static [u8]| Binary(Bytes::from_static(bytes));
    assert_wire(
        &Packet::Event {
            namespace: NamespaceName::MAIN,
            ack: None,
            event: event("baz", bytes(&[1, 2, 3, 4])),
        },
        r#"51-["baz",{"_placeholder":true,"num":0}] +01020304"#,
    );
    assert_wire(
        &Packet::Event {
            namespace: namespace("/admin"),
            ack: None,
            event: event("baz", (bytes(&[1, 2]), bytes(&[3, 4]))),
        },
        r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] +0102 +0304"#,
    );
    assert_wire(
        &Packet::Event {
            namespace: namespace("/cool"),
            ack: Some(AckId::new(23)),
            event: event("a", bytes(b"abc")),
        },
        r#"51-/cool,23["a",{"_placeholder":true,"num":0}] +616263"#,
    );
}

#[test]
fn acks() {
    let ack = |namespace, id, args| Packet::Ack {
        namespace,
        id: AckId::new(id),
        args,
    };
    assert_wire(&ack(NamespaceName::MAIN, 12, Args::NONE), "312[]");
    assert_wire(
        &ack(namespace("/admin"), 13, Args::encode("bar").expect("text")),
        r#"3/admin,13["bar"]"#,
    );
    let args = Args::encode(&("a", Binary::from("xxx"), json!({}))).expect("arguments");
    let expected = r#"61-/back,127["a",{"_placeholder":true,"num":0},{}] +787878"#;
    assert_wire(&ack(namespace("/back"), 127, args), expected);
}

/// `socket.emit(1)` is heard by `socket.on("1")`.
#[test]
fn a_number_may_be_an_event_name() {
    for (text, name) in [
        ("2[1,\"a\"]", "1"),
        ("2[-12]", "-12"),
        ("2[123456789012345]", "123456789012345"),
        ("2[1.5,\"a\"]", "1.5"),
        ("2[1e3]", "1000"),
        ("2[-0]", "0"),
        ("2[12345678901234567]", "12345678901234568"),
        ("2[ 1.50 ]", "1.5"),
    ] {
        let Packet::Event { event, .. } = decode([Message::Text(text.into())]) else {
            panic!("an event")
        };
        assert_eq!(event.name, name);
    }
}

#[test]
fn space_between_elements_does_not_matter() {
    let packet = decode([Message::Text("2 [ \"a\" , 1 , [ 2 ] ] ".into())]);
    let Packet::Event {
        event: spaced,
        ack: None,
        ..
    } = packet
    else {
        panic!("an event")
    };
    assert_eq!((spaced.name.as_str(), spaced.args.json()), ("a", "[ 1 , [ 2 ] ]"));
    let packet = decode([Message::Text("2[ \"a\" ]".into())]);
    assert_eq!(
        packet,
        Packet::Event {
            namespace: NamespaceName::MAIN,
            ack: None,
            event: event("a", ())
        }
    );
}

/// What came in can go out without having been understood, be it a number that no type holds or half a character.
#[test]
fn what_is_relayed_stays_as_it_is() {
    let text = r#"["big",1e999,123456789012345678901234567890,"\ud83d","\u0041"]"#;
    let Packet::Event { event, .. } = decode([Message::Text(format!("2{text}").into())]) else {
        panic!("an event")
    };
    assert_eq!(
        wire(&Encoded::event(&NamespaceName::MAIN, None, &event)),
        format!("2{text}")
    );
}

/// And who reads it finds what browsers write in its place.
#[test]
fn half_a_character_is_text_like_any_other() {
    let text = r#"2["\ud83d",{"\ude00":"a\ud83d"},"\ud83d\ude00"]"#;
    let Packet::Event { event, .. } = decode([Message::Text(text.into())]) else {
        panic!("an event")
    };
    assert_eq!(event.name, "\u{fffd}");
    assert_eq!(event.args.json(), r#"[{"\ude00":"a\ud83d"},"\ud83d\ude00"]"#);
    assert_eq!(
        event.args.parse::<serde_json::Value>().expect("data"),
        json!([{"\u{fffd}": "a\u{fffd}"}, "😀"])
    );
    assert_eq!(event.args.clone(), through_bytes(&event.args));
    let auth = json(r#"{"name":"\ud83d"}"#);
    assert_eq!(
        auth.parse::<serde_json::Value>().expect("data"),
        json!({"name": "\u{fffd}"})
    );
}

/// Some clients count in nanoseconds. The reference answers with the nearest number that JavaScript has.
#[test]
fn an_ack_id_may_have_many_digits() {
    for (digits, answered) in [
        ("0", "0"),
        ("007", "7"),
        ("12345678901234567890", "12345678901234567890"),
        ("18446744073709551616", "18446744073709551616"),
        (&"9".repeat(38), &"9".repeat(38)),
        (&"9".repeat(400), "340282366920938463463374607431768211455"),
    ] {
        let Packet::Event { ack: Some(ack), .. } =
            decode([Message::Text(format!("2{digits}[\"a\"]").into())])
        else {
            panic!("an event that wants an answer")
        };
        let answer = Encoded::ack(&NamespaceName::MAIN, ack, &Args::NONE);
        assert_eq!(wire(&answer), format!("3{answered}[]"));
    }
}

/// As with the reference. What names it goes on as it came.
#[test]
fn an_attachment_may_be_named_twice_or_never() {
    let binary = Message::Binary(Bytes::from_static(b"b"));
    let twice = r#"51-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
    let Packet::Event { event, .. } = decode([Message::Text(twice.into()), binary.clone()]) else {
        panic!("an event")
    };
    assert_eq!(
        event.args.parse::<(Binary, Binary)>(),
        Ok((Binary::from("b"), Binary::from("b")))
    );
    let encoded = Encoded::event(&NamespaceName::MAIN, None, &event);
    assert_eq!(wire(&encoded), format!("{twice} +62"));
    let Packet::Event { event, .. } = decode([Message::Text(r#"51-["a","x"]"#.into()), binary]) else {
        panic!("an event")
    };
    assert_eq!(event.args.parse(), Ok("x".to_owned()));
}

/// The reference ignores an id where nothing can be answered, and takes nothing for no arguments.
#[test]
fn what_is_merely_odd() {
    let main = NamespaceName::MAIN;
    let decoded = |text: &'static str| decode([Message::Text(text.into())]);
    let payload = Some(json("{}"));
    assert_eq!(
        decoded("012{}"),
        Packet::Connect {
            namespace: main.clone(),
            payload
        }
    );
    assert_eq!(
        decoded("11"),
        Packet::Disconnect {
            namespace: main.clone()
        }
    );
    let ack = Packet::Ack {
        namespace: main,
        id: AckId::new(7),
        args: Args::NONE,
    };
    assert_eq!(decoded("37"), ack);
}

/// In a packet without attachments an object that looks like a placeholder is an object.
#[test]
fn a_look_alike_in_a_plain_packet_is_data() {
    let text = r#"2["a",{"_placeholder":true,"num":0}]"#;
    let Packet::Event { event, .. } = decode([Message::Text(text.into())]) else {
        panic!("an event")
    };
    assert_eq!(event.args.attachments(), [] as [Bytes; 0]);
    assert_eq!(
        event.args.parse::<serde_json::Value>().expect("data"),
        json!([{"_placeholder": true, "num": 0}])
    );
}

#[test]
fn a_binary_packet_may_announce_nothing() {
    let packet = decode([Message::Text("50-[\"a\"]".into())]);
    assert_eq!(
        packet,
        Packet::Event {
            namespace: NamespaceName::MAIN,
            ack: None,
            event: event("a", ())
        }
    );
}

#[test]
fn an_encoded_packet_knows_its_length() {
    let event = Event::new("a", &Binary::from("four")).expect("an event");
    let encoded = Encoded::event(&NamespaceName::MAIN, None, &event);
    assert_eq!(
        encoded.len(),
        r#"451-["a",{"_placeholder":true,"num":0}]"#.len() + "four".len()
    );
    assert!(!encoded.is_empty());
    assert_eq!(encoded.clone().into_frames().count(), 2);
}
