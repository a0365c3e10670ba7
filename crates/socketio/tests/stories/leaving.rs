//! Leaving a namespace, and the end.

use hither_engineio::CloseReason;
use hither_socketio::{AckId, Args, NotConnected};

use crate::story::{Story, event, namespace};

/// A client in `/` as `S` and in `/custom` as `C`.
fn in_two_namespaces() -> Story {
    let mut story = Story::connected();
    story.says("0/custom");
    story.accepts("/custom", "C");
    story
}

#[test]
fn a_client_leaves_one_namespace_and_stays_in_another() {
    let mut story = in_two_namespaces();
    assert_eq!(
        story.says("1/custom"),
        ["disconnected /custom C: client namespace disconnect"]
    );
    assert_eq!(story.connection.socket(&namespace("/custom")), None);
    story.assert_connected();
    assert_eq!(story.says("0/custom"), ["ask /custom -"], "it may come back");
}

#[test]
fn a_client_may_leave_all_namespaces_and_stay() {
    let mut story = Story::connected();
    assert_eq!(story.says("1"), ["disconnected / S: client namespace disconnect"]);
    assert!(!story.connection.is_closed());
    assert_eq!(story.says("0"), ["ask / -"]);
}

#[test]
fn what_a_client_says_after_it_left_closes() {
    for text in [r#"2/custom,["a"]"#, "3/custom,1[]", "1/custom,"] {
        let mut story = in_two_namespaces();
        story.says("1/custom");
        assert_eq!(
            story.says(text),
            [
                "disconnected / S: forced close",
                "close: packet for /custom, to which the client is not connected"
            ],
            "{text}"
        );
        story.assert_closed();
    }
}

#[test]
fn the_server_disconnects_a_client() {
    let mut story = in_two_namespaces();
    assert_eq!(
        story.disconnects("/custom"),
        [
            "send 1/custom,",
            "disconnected /custom C: server namespace disconnect"
        ]
    );
    let custom = namespace("/custom");
    assert_eq!(story.connection.disconnect(&custom), Err(NotConnected));
    assert!(story.connection.emit(&custom, &event("late", ())).is_err());
    assert_eq!(
        story.connection.ack(&custom, AckId::new(1), &Args::NONE),
        Err(NotConnected)
    );
    assert_eq!(story.outputs(), [""; 0]);
    story.assert_connected();
}

/// It was on its way already. The reference server would close the session, with all its other namespaces.
#[test]
fn what_a_client_says_before_it_hears_of_that_is_ignored() {
    let mut story = in_two_namespaces();
    let (id, _) = story.emits_with_ack("/custom", "question", ());
    story.disconnects("/custom");
    assert_eq!(story.says(r#"2/custom,["a"]"#), [""; 0]);
    assert_eq!(
        story.says(r#"51-/custom,["a",{"_placeholder":true,"num":0}]"#),
        [""; 0]
    );
    assert_eq!(story.attaches(b"b"), [""; 0]);
    assert_eq!(story.says(&format!("3/custom,{id}[]")), [""; 0]);
    assert_eq!(story.says("1/custom,"), [""; 0]);
    story.assert_connected();
    assert_eq!(story.says("0/custom"), ["ask /custom -"]);
    assert_eq!(story.accepts("/custom", "D"), [r#"send 0/custom,{"sid":"D"}"#]);
    assert_eq!(story.says(r#"2/custom,["a"]"#), ["event /custom D a[]"]);
}

#[test]
fn the_server_disconnects_a_client_everywhere() {
    let mut story = in_two_namespaces();
    story.says("0/asking");
    story.connection.disconnect_all();
    assert_eq!(
        story.outputs(),
        [
            "send 1",
            "disconnected / S: server namespace disconnect",
            "send 1/custom,",
            "disconnected /custom C: server namespace disconnect",
        ]
    );
    assert_eq!(story.connection.sockets().count(), 0);
    assert!(!story.connection.is_closed());
}

#[test]
fn the_end_of_the_session_disconnects_all_sockets() {
    for (reason, words) in [
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ShuttingDown, "server shutting down"),
    ] {
        let mut story = in_two_namespaces();
        story.says("0/asking");
        story.connection.session_closed(reason);
        assert_eq!(
            story.outputs(),
            [
                format!("disconnected / S: {words}"),
                format!("disconnected /custom C: {words}")
            ]
        );
        story.assert_closed();
    }
}

#[test]
fn the_sockets_go_before_the_session() {
    let mut story = in_two_namespaces();
    assert_eq!(
        story.says("x"),
        [
            "disconnected / S: parse error",
            "disconnected /custom C: parse error",
            "close: malformed packet: unknown packet type 'x': types are 0 to 6",
        ]
    );
    story.connection.session_closed(CloseReason::ParseError);
    story.assert_closed();
}
