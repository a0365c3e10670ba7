//! Encoding and decoding belong together, and nothing that comes in is a panic.

use bytes::Bytes;
use hither_engineio::Message;
use hither_socketio::{
    AckId, Args, Binary, ConnectError, Decoded, Decoder, Encoded, Event, EventName, Json, NamespaceName,
    Packet, PacketLimits,
};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::story::messages;

/// JSON with bytes in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Data {
    Plain(Value),
    Binary(#[serde(with = "binary")] Vec<u8>),
    Array(Vec<Data>),
    Object(std::collections::BTreeMap<String, Data>),
}

mod binary {
    use super::{Binary, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Binary::from(bytes.to_vec()).serialize(serializer)
    }
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::from),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    let leaf = prop_oneof![
        3 => plain().prop_map(Data::Plain),
        1 => proptest::collection::vec(any::<u8>(), 0..8).prop_map(Data::Binary),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Data::Array),
            proptest::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Data::Object),
        ]
    })
}

fn args() -> impl Strategy<Value = Args> {
    proptest::collection::vec(data(), 0..4).prop_map(|data| Args::encode(&data).expect("arguments"))
}

fn namespace() -> impl Strategy<Value = NamespaceName> {
    prop_oneof![
        Just(NamespaceName::MAIN),
        "/[^,\\p{Cc}]{0,60}".prop_map(|name| NamespaceName::new(name).expect("a namespace")),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let name = any::<String>().prop_filter_map("reserved", |name| EventName::new(name).ok());
    (name, args()).prop_map(|(name, args)| Event { name, args })
}

fn ack_id() -> impl Strategy<Value = AckId> {
    any::<u64>().prop_map(AckId::new)
}

fn packet() -> impl Strategy<Value = Packet> {
    let object = proptest::collection::btree_map(any::<String>(), plain(), 0..4);
    let payload = proptest::option::of(object.prop_map(|object| Json::encode(&object).expect("JSON")));
    let error = (
        any::<String>(),
        proptest::option::of(plain().prop_filter("null is nothing", |data| !data.is_null())),
    );
    let error = error.prop_map(|(message, data)| match data {
        None => ConnectError::new(message),
        Some(data) => ConnectError::new(message).with_data(&data).expect("JSON"),
    });
    prop_oneof![
        (namespace(), payload).prop_map(|(namespace, payload)| Packet::Connect { namespace, payload }),
        namespace().prop_map(|namespace| Packet::Disconnect { namespace }),
        (namespace(), proptest::option::of(ack_id()), event()).prop_map(|(namespace, ack, event)| {
            Packet::Event {
                namespace,
                ack,
                event,
            }
        }),
        (namespace(), ack_id(), args()).prop_map(|(namespace, id, args)| Packet::Ack { namespace, id, args }),
        (namespace(), error).prop_map(|(namespace, error)| Packet::ConnectError { namespace, error }),
    ]
}

/// Text that is nearly a packet.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "0", "1", "2", "3", "4", "5", "6", "7", "-", "/", "/a", ",", "[", "]", "{", "}", "\"", "\\", "\"a\"", ":",
            "null", "true", "1e9", " ", "\"_placeholder\"", "\"num\"", "\"connect\"", "{\"_placeholder\":true,\"num\":0}",
            "[\"a\"]", "[\"a\",", "\\u0", "\\ud83d",
        ]).prop_map(String::from),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn message() -> impl Strategy<Value = Message> {
    let binary = proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        6 => text().prop_map(|text| Message::Text(text.into())),
        2 => packet().prop_map(|packet| messages(&Encoded::packet(&packet)).remove(0)),
        4 => binary.prop_map(|bytes| Message::Binary(Bytes::from(bytes))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_encoded_decodes_to_itself(packets in proptest::collection::vec(packet(), 1..4)) {
        let mut decoder = Decoder::new(PacketLimits::default());
        let mut decoded = Vec::new();
        for packet in &packets {
            for message in messages(&Encoded::packet(packet)) {
                decoded.extend(decoder.message(message).expect("a well-formed packet").map(packet_of));
            }
            prop_assert!(!decoder.is_mid_packet());
        }
        prop_assert_eq!(decoded, packets);
    }

    #[test]
    fn whatever_comes_in_is_a_packet_or_an_error(messages in proptest::collection::vec(message(), 1..8)) {
        let limits = PacketLimits { max_attachments: 3, max_bytes: 200 };
        let mut decoder = Decoder::new(limits);
        for message in messages {
            if let Ok(Some(Decoded::Packet(packet))) = decoder.message(message) {
                assert_decodes_again(&packet);
            }
        }
    }

    #[test]
    fn arguments_are_what_serde_json_makes_of_them(value in data()) {
        let args = Args::encode(&(&value,)).expect("arguments");
        let Ok((parsed,)) = args.parse::<(Value,)>() else { return Err(TestCaseError::fail("one argument")) };
        let mut taken = 0;
        assert_same(&value, &parsed, &args, &mut taken);
        prop_assert_eq!(taken, args.attachments().len());
    }

    #[test]
    fn any_json_is_parsed_without_a_panic(text in text()) {
        if let Ok(args) = Args::from_json(text.clone(), Vec::new()) {
            let parsed = args.parse::<Vec<&RawValue>>().map(|elements| elements.len());
            prop_assert_eq!(parsed, Ok(args.len()));
            prop_assert_eq!(args.parse::<()>().is_ok(), args.is_empty());
            prop_assert!(args.parse::<Binary>().is_err(), "there are no attachments");
        }
        if let Ok(json) = Json::new(text) {
            prop_assert!(json.parse::<&RawValue>().is_ok());
        }
    }
}

fn packet_of(decoded: Decoded) -> Packet {
    match decoded {
        Decoded::Packet(packet) => packet,
        Decoded::Untaken(untaken) => panic!("{untaken:?}"),
    }
}

/// What was decoded once can be encoded, and then decodes to the same.
fn assert_decodes_again(packet: &Packet) {
    let mut decoder = Decoder::new(PacketLimits::default());
    let messages = messages(&Encoded::packet(packet)).into_iter();
    let mut packets = messages.filter_map(|message| decoder.message(message).expect("it was a packet"));
    assert_eq!(packets.next().map(packet_of).as_ref(), Some(packet));
}

fn assert_same(data: &Data, parsed: &Value, args: &Args, taken: &mut usize) {
    match (data, parsed) {
        (Data::Plain(value), parsed) => assert_eq!(value, parsed),
        (Data::Binary(bytes), placeholder) => {
            assert_eq!(placeholder["num"], *taken);
            assert_eq!(args.attachments()[*taken], bytes);
            *taken += 1;
        }
        (Data::Array(data), Value::Array(parsed)) => {
            assert_eq!(data.len(), parsed.len());
            for (data, parsed) in data.iter().zip(parsed) {
                assert_same(data, parsed, args, taken);
            }
        }
        (Data::Object(data), Value::Object(parsed)) => {
            assert_eq!(data.len(), parsed.len());
            for (key, data) in data {
                assert_same(data, &parsed[key], args, taken);
            }
        }
        (data, parsed) => panic!("{data:?} became {parsed:?}"),
    }
}
