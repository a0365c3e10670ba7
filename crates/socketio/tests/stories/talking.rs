//! Events and acks, both ways.

use hither_engineio::FrameKind;
use hither_socketio::{AckId, Args, Binary, ConnectionConfig, EmitError, Encoded, NotConnected};

use crate::story::{Story, event, namespace};

#[test]
fn events_are_heard_in_their_namespace() {
    let mut story = Story::connected();
    story.says("0/custom");
    story.accepts("/custom", "C");
    assert_eq!(
        story.says(r#"2["message",1,"2",{"3":[true]}]"#),
        [r#"event / S message[1,"2",{"3":[true]}]"#]
    );
    assert_eq!(
        story.says(r#"2/custom,["message"]"#),
        ["event /custom C message[]"]
    );
}

#[test]
fn an_event_is_answered_with_its_id() {
    let mut story = Story::connected();
    assert_eq!(story.says(r#"2456["ask",1]"#), ["event / S ask[1] ack 456"]);
    let args = Args::encode(&(1, Binary::from("\x01\x02"))).expect("arguments");
    assert_eq!(
        story.connection.ack(&namespace("/"), AckId::new(456), &args),
        Ok(())
    );
    assert_eq!(
        story.outputs(),
        [r#"send 61-456[1,{"_placeholder":true,"num":0}] +0102"#]
    );
    assert_eq!(
        story.connection.ack(&namespace("/other"), AckId::new(1), &args),
        Err(NotConnected)
    );
}

#[test]
fn the_client_answers_once() {
    let mut story = Story::connected();
    let (first, told) = story.emits_with_ack("/", "a", 1);
    assert_eq!(told, [r#"send 20["a",1]"#]);
    let (second, told) = story.emits_with_ack("/", "b", ());
    assert_eq!(told, [r#"send 21["b"]"#]);
    assert_ne!(first, second);
    assert_eq!(story.says(r#"31["two"]"#), [r#"acked / S 1["two"]"#]);
    assert_eq!(story.says(r#"31["again"]"#), [""; 0]);
    assert_eq!(story.says(r#"399["nobody asked"]"#), [""; 0]);
    assert_eq!(story.says(r#"61-0[{"_placeholder":true,"num":0}]"#), [""; 0]);
    assert_eq!(
        story.attaches(&[9]),
        [r#"acked / S 0[{"_placeholder":true,"num":0}] +09"#]
    );
    story.assert_connected();
}

#[test]
fn an_answer_no_longer_waited_for_is_ignored() {
    let mut story = Story::connected();
    let (id, _) = story.emits_with_ack("/", "a", ());
    assert!(story.connection.forget_ack(&namespace("/"), id));
    assert!(!story.connection.forget_ack(&namespace("/"), id));
    assert_eq!(story.says("30[]"), [""; 0]);
    story.assert_connected();
}

#[test]
fn an_answer_counts_in_its_own_namespace() {
    let mut story = Story::connected();
    story.says("0/a");
    story.accepts("/a", "A");
    story.emits_with_ack("/a", "question", ());
    assert_eq!(story.says("30[]"), [""; 0]);
    assert_eq!(story.says("3/a,0[]"), ["acked /a A 0[]"]);
}

/// The client's answer may come after it has left and come back: it is not the new socket's.
#[test]
fn an_answer_is_never_for_a_later_socket() {
    let mut story = Story::connected();
    let (before, _) = story.emits_with_ack("/", "old", ());
    story.says("1");
    story.says("0");
    story.accepts("/", "T");
    let (after, _) = story.emits_with_ack("/", "new", ());
    assert_ne!(before, after);
    assert_eq!(story.says(&format!("3{before}[]")), [""; 0]);
    assert_eq!(
        story.says(&format!("3{after}[]")),
        [format!("acked / T {after}[]")]
    );
}

#[test]
fn awaited_acks_are_bounded() {
    let mut story = Story::with(ConnectionConfig {
        max_awaited_acks: 2,
        ..ConnectionConfig::default()
    });
    story.says("0");
    story.emits_with_ack("/", "x", ());
    story.accepts("/", "S");
    let (id, _) = story.emits_with_ack("/", "x", ());
    let main = namespace("/");
    assert_eq!(
        story.connection.emit_with_ack(&main, &event("x", ())),
        Err(EmitError::TooManyAcks)
    );
    assert_eq!(
        story.emits("/", "x", ()),
        [r#"send 2["x"]"#],
        "without an ack there is no bound"
    );
    assert!(story.connection.forget_ack(&main, id));
    story.emits_with_ack("/", "x", ());
}

/// An event for a room is encoded once: every socket is sent the same bytes.
#[test]
fn an_encoded_event_is_shared() {
    let main = namespace("/");
    let encoded = Encoded::event(&main, None, &event("news", ("long text", Binary::from("bytes"))));
    let mut sent = Vec::new();
    for _ in 0..2 {
        let mut story = Story::connected();
        assert_eq!(story.connection.emit_encoded(&main, encoded.clone()), Ok(()));
        let Some(hither_socketio::Output::Send(encoded)) = story.connection.next_output() else {
            panic!("it is sent")
        };
        sent.extend(encoded.into_frames());
    }
    assert_eq!(sent.iter().map(|frame| frame.kind()).collect::<Vec<_>>(), {
        use FrameKind::{Binary, Text};
        [Text, Binary, Text, Binary]
    });
    assert_eq!(sent[0].bytes().as_ptr(), sent[2].bytes().as_ptr());
    assert_eq!(sent[1].bytes().as_ptr(), sent[3].bytes().as_ptr());
}
