//! Values as arguments, and arguments as values.

use std::collections::BTreeMap;

use bytes::Bytes;
use hither_socketio::{Args, ArgsError, Binary, Json, JsonError, MAX_DEPTH, PlaceholderError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    room: String,
    message: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Upload {
    name: String,
    parts: Vec<Binary>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, u8);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Unit,
    New(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

fn message() -> Message {
    Message {
        room: "lobby".into(),
        message: "hello".into(),
    }
}

/// That a value is these arguments, and these arguments the value.
fn assert_args<T>(value: T, json: &str)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let args = Args::encode(&value).expect("arguments");
    assert_eq!(args.json(), json);
    assert_eq!(args.parse::<T>(), Ok(value), "{json}");
}

#[test]
fn a_sequence_is_all_arguments() {
    assert_args((1, String::from("two"), [3.5]), r#"[1,"two",[3.5]]"#);
    assert_args(vec![1, 2, 3], "[1,2,3]");
    assert_args([true; 2], "[true,true]");
    assert_args(Vec::<u8>::new(), "[]");
    assert_args(Pair(1, 2), "[1,2]");
    assert_args(Wrapped(vec![1]), "[1]");
    assert_args((message(),), r#"[{"room":"lobby","message":"hello"}]"#);
    assert_args(json!([1, {"a": null}]), r#"[1,{"a":null}]"#);
}

#[test]
fn a_unit_is_no_argument() {
    assert_args((), "[]");
    assert_args(Nothing, "[]");
    assert!(Args::encode(&()).expect("nothing").is_empty());
}

#[test]
fn anything_else_is_the_only_argument() {
    assert_args(message(), r#"[{"room":"lobby","message":"hello"}]"#);
    assert_args(String::from("text"), r#"["text"]"#);
    assert_args('c', r#"["c"]"#);
    assert_args(-7_i64, "[-7]");
    assert_args(i8::MIN, "[-128]");
    assert_args(i16::MIN, "[-32768]");
    assert_args(i32::MIN, "[-2147483648]");
    assert_args(7_u8, "[7]");
    assert_args(7_u16, "[7]");
    assert_args(7_u32, "[7]");
    assert_args(u64::MAX, "[18446744073709551615]");
    assert_args(u128::MAX, "[340282366920938463463374607431768211455]");
    assert_args(i128::MIN, "[-170141183460469231731687303715884105728]");
    assert_args(1.5_f32, "[1.5]");
    assert_args(1.5, "[1.5]");
    assert_args(true, "[true]");
    assert_args(BTreeMap::from([(String::from("a"), 1)]), r#"[{"a":1}]"#);
    assert_args(None::<u8>, "[null]");
    assert_args(Some(1), "[1]");
    assert_args(Some((1, 2)), "[[1,2]]");
    assert_args(Wrapped(7), "[7]");
    assert_args(Choice::Unit, r#"["unit"]"#);
    assert_args(Choice::New(1), r#"[{"new":1}]"#);
    assert_args(Choice::Tuple(1, 2), r#"[{"tuple":[1,2]}]"#);
    assert_args(Choice::Struct { a: 1 }, r#"[{"struct":{"a":1}}]"#);
}

#[test]
fn text_is_borrowed_where_it_can_be() {
    let args = Args::encode(&("plain", "ü")).expect("arguments");
    assert_eq!(args.parse::<(&str, &str)>(), Ok(("plain", "ü")));
}

#[test]
fn what_is_left_out_is_none() {
    assert_eq!(Args::NONE.parse::<Option<u8>>(), Ok(None));
}

/// What a client's developer reads in the answer to a wrong event.
#[test]
fn errors_say_what_was_expected() {
    let args = |json: &'static str| Args::from_json(json, Vec::new()).expect("arguments");
    fn refused<'a, T: Deserialize<'a> + std::fmt::Debug>(args: &'a Args) -> String {
        args.parse::<T>().expect_err("it does not fit").to_string()
    }
    assert_eq!(
        refused::<(String, u8)>(&args(r#"["a"]"#)),
        "unexpected arguments: invalid length 1, expected a tuple of size 2 at line 1 column 5"
    );
    assert_eq!(
        refused::<(String,)>(&args(r#"["a",1,2]"#)),
        "unexpected arguments: expected 1 arguments, found 3 at line 1 column 9"
    );
    assert!(refused::<(u8,)>(&args(r#"["a"]"#)).contains(r#"invalid type: string "a", expected u8"#));
    assert!(refused::<Message>(&args(r#"[{"room":"a"}]"#)).contains("missing field `message`"));
    assert_eq!(
        refused::<Message>(&args("[]")),
        "unexpected arguments: expected one argument, found none"
    );
    assert_eq!(
        refused::<u8>(&args("[1,2]")),
        "unexpected arguments: expected one argument, found 2"
    );
    assert_eq!(
        refused::<()>(&args("[1]")),
        "unexpected arguments: expected no arguments, found 1"
    );
    assert!(refused::<Binary>(&args("[\"a\"]")).contains("expected binary data"));
    assert!(refused::<Binary>(&args(r#"[{"_placeholder":true,"num":0}]"#)).contains("expected binary data"));
}

/// JavaScript has such text, Rust has not.
#[test]
fn half_a_character_is_read_as_a_replacement() {
    let args = Args::from_json(r#"["\ud83d"]"#, Vec::new()).expect("arguments");
    assert_eq!(args.parse(), Ok(("\u{fffd}".to_owned(),)));
    assert_eq!(args.parse_first(), Ok("\u{fffd}".to_owned()));
    assert_eq!(args.json(), r#"["\ud83d"]"#);
}

#[test]
fn the_first_argument_can_be_read_alone() {
    let args = Args::encode(&("lobby", json!({"any": "thing"}), Binary::from("b"))).expect("arguments");
    assert_eq!(args.parse_first::<&str>(), Ok("lobby"));
    assert!(args.parse_first::<u8>().is_err());
    assert!(Args::NONE.parse_first::<u8>().is_err());
    assert_eq!(
        Args::encode(&Binary::from("b"))
            .expect("bytes")
            .parse_first::<Binary>(),
        Ok(Binary::from("b"))
    );
}

#[test]
fn arguments_are_counted() {
    for (json, len) in [("[]", 0), ("[ ]", 0), ("[[1,2]]", 1), (r#"["a,b",{},null]"#, 3)] {
        let args = Args::from_json(json, Vec::new()).expect("arguments");
        assert_eq!((args.len(), args.is_empty()), (len, len == 0), "{json}");
    }
}

#[test]
fn bytes_travel_beside_the_json() {
    let upload = || Upload {
        name: "n".into(),
        parts: vec![Binary::from("one"), Binary::from("two")],
    };
    let args = Args::encode(&(upload(), Binary::from("three"))).expect("arguments");
    assert_eq!(
        args.json(),
        concat!(
            r#"[{"name":"n","parts":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]},"#,
            r#"{"_placeholder":true,"num":2}]"#
        )
    );
    assert_eq!(args.attachments(), ["one", "two", "three"]);
    assert_eq!(
        args.parse::<(Upload, Binary)>(),
        Ok((upload(), Binary::from("three")))
    );
}

/// One `Binary` alone is found by the look at its shape, too, and must not be sent twice.
#[test]
fn bytes_may_be_the_only_argument() {
    let args = Args::encode(&Binary::from("b")).expect("bytes");
    assert_eq!(args.json(), r#"[{"_placeholder":true,"num":0}]"#);
    assert_eq!(args.attachments(), ["b"]);
    assert_eq!(args.parse::<Binary>(), Ok(Binary::from("b")));
    assert_eq!(
        Args::encode(&Wrapped(Some(Binary::from("b")))).expect("bytes"),
        args
    );
}

/// Arguments that are encoded while others are keep their bytes to themselves.
#[test]
fn arguments_within_arguments() {
    struct Relayed;

    impl Serialize for Relayed {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = Args::encode(&Binary::from("inner")).map_err(serde::ser::Error::custom)?;
            assert_eq!(inner.attachments(), ["inner"]);
            serializer.serialize_str(inner.json())
        }
    }

    let args = Args::encode(&(Binary::from("first"), Relayed, Binary::from("second"))).expect("arguments");
    assert_eq!(args.attachments(), ["first", "second"]);
}

#[test]
fn bytes_are_shared_and_not_copied() {
    let bytes = Bytes::from(vec![7; 1_000]);
    let args = Args::encode(&Binary(bytes.clone())).expect("bytes");
    assert_eq!(args.attachments()[0].as_ptr(), bytes.as_ptr());
    let Binary(parsed) = args.parse().expect("bytes");
    assert_eq!(parsed.as_ptr(), bytes.as_ptr());
}

#[test]
fn placeholders_may_come_in_any_order() {
    let json = r#"[{"num":1,"_placeholder":true},{"_placeholder":true,"num":0,"extra":[]}]"#;
    let args = Args::from_json(json, vec!["zero".into(), "one".into()]).expect("arguments");
    assert_eq!(
        args.parse::<(Binary, Binary)>(),
        Ok((Binary::from("one"), Binary::from("zero")))
    );
}

/// A client must not be able to make the server send what throws other clients out.
#[test]
fn a_look_alike_beside_bytes_is_refused() {
    let smuggled = json!({"_placeholder": true, "num": 99});
    let error = Args::encode(&(&smuggled, Binary::from("b"))).expect_err("a look-alike");
    assert_eq!(
        error,
        ArgsError::Placeholder(PlaceholderError::OutOfRange {
            index: 99,
            attachments: 1
        })
    );
    assert_eq!(
        Args::encode(&(&smuggled,)).expect("plain data").json(),
        r#"[{"_placeholder":true,"num":99}]"#
    );
}

#[test]
fn values_that_json_does_not_have_are_refused() {
    let by_number = BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(Args::encode(&by_number), Err(ArgsError::Encode(_))));
}

#[test]
fn what_nobody_could_read_is_not_sent() {
    let nested = |levels: usize| {
        let json = "[".repeat(levels) + &"]".repeat(levels);
        RawValue::from_string(json).expect("JSON")
    };
    assert!(Args::encode(&(nested(MAX_DEPTH - 1),)).is_ok());
    assert_eq!(
        Args::encode(&(nested(MAX_DEPTH),)),
        Err(ArgsError::Json(JsonError::TooDeep))
    );
    assert_eq!(Json::encode(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
}

/// They can be passed on, and a handler that wants their values is told why it cannot have them.
#[test]
fn arguments_that_nest_too_deep_for_values_are_an_error() {
    let json = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    let args = Args::from_json(json.clone(), Vec::new()).expect("arguments");
    assert_eq!((args.json(), args.len()), (json.as_str(), 1));
    let error = args.parse::<serde_json::Value>().expect_err("too deep");
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn a_rejection_says_why() {
    let error = Args::encode(&"text")
        .expect("text")
        .parse::<u32>()
        .expect_err("no number");
    assert_eq!(
        Args::rejection(&error).json(),
        format!("[{{\"error\":{}}}]", json!(error.to_string()))
    );
}

#[test]
fn arguments_that_are_json_already_are_checked() {
    let refused = |json: &'static str| Args::from_json(json, Vec::new()).expect_err("no arguments");
    assert_eq!(refused("{}"), ArgsError::NotAnArray);
    assert!(matches!(refused("[1"), ArgsError::Json(_)));
    assert!(matches!(refused(""), ArgsError::Json(_)));
    assert!(matches!(
        Args::from_json(r#"[{"_placeholder":true,"num":1}]"#, vec!["b".into()]),
        Err(ArgsError::Placeholder(_))
    ));
    assert_eq!(
        Args::from_json(" [1] ", Vec::new()).expect("arguments").json(),
        "[1]"
    );
}

#[test]
fn no_words_in_logs() {
    let args = Args::encode(&("secret", Binary::from("b"))).expect("arguments");
    assert_eq!(format!("{args:?}"), "Args(40 bytes, 1 attachments)");
}
