//! The examples of the specification, and of the reference parser's own tests, both ways.

use bytes::Bytes;
use hither_engineio::Message;
use hither_socketio::{
    AckId, Args, Binary, ConnectError, Decoder, Encoded, Event, Json, NamespaceName, Packet, PacketLimits,
    RecoveryId, SocketId,
};
use serde_json::json;

use crate::story::{event, messages, namespace, wire};

fn decode(messages: impl IntoIterator<Item = Message>) -> Packet {
    let mut decoder = Decoder::new(PacketLimits::default());
    let mut packets = messages
        .into_iter()
        .map(|message| decoder.message(message).expect("a well-formed packet"));
    let packet = packets.find_map(|packet| packet).expect("a whole packet");
    assert_eq!(packets.next(), None, "nothing was left");
    packet
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
fn an_integer_may_be_an_event_name() {
    for (text, name) in [
        ("2[1,\"a\"]", "1"),
        ("2[-12]", "-12"),
        ("2[123456789012345]", "123456789012345"),
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
