//! A connection that goes on at another node.

use std::time::Instant;

use hither_socketio::{Args, Binary, Connection, ConnectionSnapshot, Encoded, Event, NamespaceName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::story::{Story, event, namespace, seconds, wire};

pub(crate) fn through_bytes<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(value, config).expect("plain data");
    let (copy, read) = bincode::serde::decode_from_slice(&bytes, config).expect("what was written");
    assert_eq!(read, bytes.len());
    copy
}

pub(crate) fn through_snapshot(connection: &Connection, now: Instant) -> ConnectionSnapshot {
    let snapshot = connection.snapshot(now);
    let copy = through_bytes(&snapshot);
    assert_eq!(copy, snapshot);
    copy
}

/// Through bytes, and to a clock that has nothing to do with the first.
pub(crate) fn moved(story: &Story) -> Story {
    let now = Instant::now() + seconds(5400);
    Story {
        connection: Connection::restore(through_snapshot(&story.connection, story.now), now),
        now,
    }
}

#[test]
fn sockets_and_awaited_acks_come_along() {
    let mut story = Story::connected();
    let (id, _) = story.emits_with_ack("/", "question", ());
    let mut story = moved(&story);
    story.assert_connected();
    assert_eq!(story.says(&format!("3{id}[1]")), [format!("acked / S {id}[1]")]);
    assert_ne!(story.emits_with_ack("/", "question", ()).0, id);
    assert_eq!(story.connection.deadline(), None);
}

#[test]
fn half_a_packet_comes_along() {
    let mut story = Story::connected();
    story.says(r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    story.attaches(b"1");
    story.wait(seconds(30));
    let (mut idle, mut story) = (moved(&story), moved(&story));
    assert_eq!(idle.wait(seconds(29)), [""; 0]);
    assert_eq!(
        idle.wait(seconds(1)).len(),
        2,
        "and with it what is left of the wait"
    );
    idle.assert_closed();
    assert_eq!(
        story.attaches(b"2"),
        [r#"event / S a[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] +31 +32"#]
    );
    story.assert_connected();
}

#[test]
fn the_wait_for_connect_goes_on() {
    let mut story = Story::new();
    story.wait(seconds(40));
    let mut story = moved(&story);
    assert_eq!(story.wait(seconds(4)), [""; 0]);
    assert_eq!(
        story.wait(seconds(1)),
        ["close: connected to no namespace in time"]
    );
    moved(&story).assert_closed();
}

/// The handler that would have answered stayed behind.
#[test]
fn the_application_is_asked_again() {
    let mut story = Story::connected();
    story.says(r#"0/chat,{"token":1}"#);
    story.emits("/chat", "early", ());
    let mut story = moved(&story);
    assert_eq!(story.outputs(), [r#"ask /chat {"token":1}"#]);
    story.assert_connected();
    assert_eq!(
        story.accepts("/chat", "C"),
        [r#"send 0/chat,{"sid":"C"}"#],
        "who begins anew emits anew"
    );
}

#[test]
fn a_dismissed_client_is_still_ignored() {
    let mut story = Story::connected();
    story.disconnects("/");
    let mut story = moved(&story);
    assert_eq!(story.says(r#"2["late"]"#), [""; 0]);
    assert_eq!(story.says("0"), ["ask / -"]);
}

#[test]
fn events_and_encoded_packets_travel() {
    let event: Event = event("a", (1, Binary::from("bytes")));
    assert_eq!(through_bytes(&event), event);
    let encoded = Encoded::event(&namespace("/chat"), None, &event);
    assert_eq!(wire(&through_bytes(&encoded)), wire(&encoded));
    assert_eq!(through_bytes(&Args::NONE), Args::NONE);
    assert_eq!(through_bytes(&NamespaceName::MAIN), NamespaceName::MAIN);
}
