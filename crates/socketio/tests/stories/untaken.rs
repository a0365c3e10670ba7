//! What is well-formed and asks for more than there is: it is answered or ignored, and ends nothing.

use hither_socketio::MAX_DEPTH;

use crate::story::Story;

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

const TOO_DEEP: &str = "JSON nested deeper than 2000 levels";

#[test]
fn connect_to_what_no_namespace_is_called() {
    for name in [
        format!("/{}?token=abc", "n".repeat(600)),
        "/a\u{1e}b".to_owned(),
        "/a\nb".to_owned(),
        "/\u{7f}".to_owned(),
    ] {
        let mut story = Story::connected();
        let refused = [format!(r#"send 4{name},{{"message":"Invalid namespace"}}"#)];
        assert_eq!(story.says(&format!("0{name},{{\"token\":1}}")), refused);
        assert_eq!(story.says(&format!("0{name}")), refused);
        story.assert_connected();
    }
}

#[test]
fn arguments_nest_to_a_limit() {
    let mut story = Story::connected();
    let deepest = nested(MAX_DEPTH - 1);
    assert_eq!(
        story.says(&format!("2[\"a\",{deepest}]")),
        [format!("event / S a[{deepest}]")]
    );
    for levels in [MAX_DEPTH, 100_000] {
        let deeper = nested(levels);
        let untaken = format!("untaken / S: {TOO_DEEP}");
        assert_eq!(
            story.says(&format!("2[\"a\",{deeper}]")),
            std::slice::from_ref(&untaken),
            "nobody asked for an answer"
        );
        assert_eq!(
            story.says(&format!("27[\"a\",{deeper}]")),
            [format!("send 37[{{\"error\":\"{TOO_DEEP}\"}}]"), untaken.clone()]
        );
        let binary = format!("51-8[\"a\",{deeper},{{\"_placeholder\":true,\"num\":0}}]");
        assert_eq!(story.says(&binary), [""; 0]);
        assert_eq!(
            story.attaches(b"b"),
            [format!("send 38[{{\"error\":\"{TOO_DEEP}\"}}]"), untaken]
        );
        story.assert_connected();
    }
}

#[test]
fn an_event_without_a_payload_is_heard_by_nobody() {
    const NAMELESS: &str = "an event without a name: its payload is an array that begins with that";
    let mut story = Story::connected();
    let untaken = format!("untaken / S: {NAMELESS}");
    for text in ["2", "2 ", "2/,"] {
        assert_eq!(story.says(text), std::slice::from_ref(&untaken), "{text:?}");
    }
    let answer = |id: u64| {
        [
            format!("send 3{id}[{{\"error\":\"{NAMELESS}\"}}]"),
            untaken.clone(),
        ]
    };
    assert_eq!(story.says("27"), answer(7), "who wants an answer gets one");
    assert_eq!(story.says("51-8"), [""; 0]);
    assert_eq!(story.attaches(b"b"), answer(8));
    story.assert_connected();
    assert_eq!(story.says("2[\"a\"]"), ["event / S a[]"]);
    let mut story = Story::new();
    story.says("2");
    story.assert_closed();
}

#[test]
fn space_in_place_of_a_payload_is_none() {
    let mut story = Story::connected();
    assert_eq!(story.says("3 "), [""; 0]);
    assert_eq!(story.says("0/custom, "), ["ask /custom -"]);
    assert_eq!(
        story.says("1 "),
        ["disconnected / S: client namespace disconnect"]
    );
}

#[test]
fn deep_arguments_where_nobody_is_connected_close() {
    let mut story = Story::new();
    story.says(&format!("2[\"a\",{}]", nested(MAX_DEPTH)));
    story.assert_closed();
}

#[test]
fn deep_arguments_of_an_ack_are_none() {
    let mut story = Story::connected();
    let (id, _) = story.emits_with_ack("/", "question", ());
    assert_eq!(story.says(&format!("3{id}[{}]", nested(MAX_DEPTH))), [""; 0]);
    story.assert_connected();
    assert_eq!(story.says(&format!("3{id}[1]")), [format!("acked / S {id}[1]")]);
}

/// As with the reference.
#[test]
fn an_ack_that_answers_nothing_is_ignored() {
    let mut story = Story::connected();
    assert_eq!(story.says("3[1]"), [""; 0]);
    assert_eq!(story.says("3"), [""; 0]);
    story.assert_connected();
}

#[test]
fn a_deep_auth_payload_is_refused() {
    let mut story = Story::connected();
    let auth = "{\"a\":".repeat(MAX_DEPTH + 1) + "1" + &"}".repeat(MAX_DEPTH + 1);
    assert_eq!(
        story.says(&format!("0/custom,{auth}")),
        [format!("send 4/custom,{{\"message\":\"{TOO_DEEP}\"}}")]
    );
    story.assert_connected();
    assert_eq!(story.says("0/custom,{}"), ["ask /custom {}"]);
}
