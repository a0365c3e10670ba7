//! From CONNECT to its answer.

use hither_socketio::{ConnectError, ConnectionConfig, EmitError, NotConnected, RecoveryId, SocketId};
use serde_json::json;

use crate::moving::moved;
use crate::story::{Story, event, namespace, seconds};

#[test]
fn the_application_is_asked_and_its_answer_sent() {
    let mut story = Story::new();
    assert_eq!(story.says(r#"0{"token":"123"}"#), [r#"ask / {"token":"123"}"#]);
    assert_eq!(story.connection.socket(&namespace("/")), None);
    assert_eq!(story.accepts("/", "S"), [r#"send 0{"sid":"S"}"#]);
    assert_eq!(
        story.connection.socket(&namespace("/")),
        Some(&SocketId::new("S"))
    );
    story.assert_connected();
}

#[test]
fn a_recoverable_socket_is_told_its_secret() {
    let mut story = Story::new();
    story.says("0/chat,");
    let pid = RecoveryId::new("P");
    assert_eq!(
        story
            .connection
            .accept(&namespace("/chat"), SocketId::new("S"), Some(&pid)),
        Ok(())
    );
    assert_eq!(story.outputs(), [r#"send 0/chat,{"sid":"S","pid":"P"}"#]);
    assert_eq!(
        format!("{pid:?}"),
        "RecoveryId(…)",
        "a secret has no place in logs"
    );
}

#[test]
fn a_refused_client_may_ask_again() {
    let mut story = Story::new();
    assert_eq!(story.says("0/random"), ["ask /random -"]);
    assert_eq!(
        story
            .connection
            .refuse(&namespace("/random"), &ConnectError::invalid_namespace()),
        Ok(())
    );
    assert_eq!(
        story.outputs(),
        [r#"send 4/random,{"message":"Invalid namespace"}"#]
    );
    assert_eq!(story.says("0/random,{}"), ["ask /random {}"]);
    let error = ConnectError::new("not you")
        .with_data(&json!({"retry": false}))
        .expect("details");
    assert_eq!(story.connection.refuse(&namespace("/random"), &error), Ok(()));
    assert_eq!(
        story.outputs(),
        [r#"send 4/random,{"message":"not you","data":{"retry":false}}"#]
    );
}

#[test]
fn an_answer_is_given_once() {
    let mut story = Story::connected();
    let main = namespace("/");
    assert!(story.connection.accept(&main, SocketId::new("T"), None).is_err());
    assert!(
        story
            .connection
            .refuse(&main, &ConnectError::new("too late"))
            .is_err()
    );
    assert!(
        story
            .connection
            .accept(&namespace("/other"), SocketId::new("T"), None)
            .is_err()
    );
    assert_eq!(story.outputs(), [""; 0]);
    story.assert_connected();
}

/// The reference server does not care which namespace comes first, or whether `/` is among them.
#[test]
fn namespaces_are_asked_for_one_by_one() {
    let mut story = Story::new();
    assert_eq!(story.says("0/a"), ["ask /a -"]);
    assert_eq!(story.says("0/b"), ["ask /b -"]);
    assert_eq!(story.accepts("/b", "B"), [r#"send 0/b,{"sid":"B"}"#]);
    assert_eq!(story.says(r#"2/b,["hi"]"#), ["event /b B hi[]"]);
    assert_eq!(story.accepts("/a", "A"), [r#"send 0/a,{"sid":"A"}"#]);
    assert_eq!(story.says(r#"2/a,["hi"]"#), ["event /a A hi[]"]);
}

#[test]
fn anything_but_connect_first_closes() {
    for text in [r#"2["a"]"#, "31[]", "1", r#"2/a,["a"]"#] {
        let mut story = Story::new();
        let told = story.says(text);
        assert!(
            told[0].ends_with("to which the client is not connected"),
            "{text}: {told:?}"
        );
        story.assert_closed();
    }
}

#[test]
fn to_speak_before_the_answer_closes() {
    for text in [r#"2["a"]"#, "31[]"] {
        let mut story = Story::new();
        story.says("0");
        assert_eq!(
            story.says(text),
            ["close: packet for /, to which the client is not connected"],
            "{text}"
        );
        story.assert_closed();
    }
}

/// Pages that build themselves up, tear themselves down and build themselves up again in one breath say this.
#[test]
fn a_second_connect_before_the_answer_gets_the_same() {
    let mut story = Story::connected();
    assert_eq!(story.says("0/chat,{}"), ["ask /chat {}"]);
    assert_eq!(story.says("0/chat,{}"), [""; 0]);
    assert_eq!(story.says("1/chat,"), [""; 0]);
    assert_eq!(story.says("0/chat,{}"), [""; 0]);
    assert_eq!(story.accepts("/chat", "C"), [r#"send 0/chat,{"sid":"C"}"#]);
    assert_eq!(story.says(r#"2/chat,["hi"]"#), ["event /chat C hi[]"]);
    story.assert_connected();
}

/// Its answer was on the way, or got lost to the client.
#[test]
fn a_second_connect_after_the_answer_is_answered_again() {
    let mut story = Story::connected();
    assert_eq!(story.says("0"), ["repeated / S"]);
    let pid = RecoveryId::new("P");
    assert_eq!(
        story.connection.connected_again(&namespace("/"), Some(&pid)),
        Ok(())
    );
    assert_eq!(story.outputs(), [r#"send 0{"sid":"S","pid":"P"}"#]);
    assert_eq!(
        story.connection.connected_again(&namespace("/other"), None),
        Err(NotConnected)
    );
    story.assert_connected();
}

/// Somebody else, perhaps: what the first was accepted for is not theirs.
#[test]
fn a_second_connect_as_somebody_else_is_another_socket() {
    let mut story = Story::connected();
    let left = "disconnected / S: client namespace disconnect";
    assert_eq!(story.says(r#"0{"token":2}"#), [left, r#"ask / {"token":2}"#]);
    assert_eq!(story.accepts("/", "T"), [r#"send 0{"sid":"T"}"#]);
    assert_eq!(story.says(r#"2["hi"]"#), ["event / T hi[]"]);
    assert_eq!(story.says(r#"0{"token":2}"#), ["repeated / T"]);
}

#[test]
fn a_second_connect_as_somebody_else_before_the_answer_is_asked_for_after_it() {
    let mut story = Story::connected();
    assert_eq!(story.says("0/chat,{\"token\":1}"), ["ask /chat {\"token\":1}"]);
    assert_eq!(story.says("0/chat,{\"token\":2}"), [""; 0]);
    assert_eq!(story.says("0/chat,{\"token\":3}"), [""; 0]);
    assert_eq!(
        story.says(r#"2/chat,["to the first"]"#),
        [""; 0],
        "which it has left"
    );
    assert_eq!(story.emits("/chat", "for the first", ()), [""; 0]);
    assert_eq!(
        story.accepts("/chat", "C"),
        [
            "disconnected /chat C: client namespace disconnect",
            "ask /chat {\"token\":3}"
        ]
    );
    assert_eq!(story.accepts("/chat", "D"), [r#"send 0/chat,{"sid":"D"}"#]);
    story.assert_connected();
}

#[test]
fn a_refusal_of_the_first_is_not_for_the_second() {
    let mut story = Story::connected();
    story.says("0/chat,{\"token\":1}");
    story.says("0/chat,{\"token\":2}");
    let refused = story
        .connection
        .refuse(&namespace("/chat"), &ConnectError::new("no"));
    assert_eq!(refused, Ok(()));
    assert_eq!(story.outputs(), ["ask /chat {\"token\":2}"]);
    assert_eq!(story.accepts("/chat", "D"), [r#"send 0/chat,{"sid":"D"}"#]);
}

#[test]
fn a_client_may_leave_before_the_answer() {
    let mut story = Story::connected();
    story.says("0/chat");
    assert_eq!(story.says("1/chat"), [""; 0]);
    assert_eq!(story.says("1/chat"), [""; 0]);
    assert_eq!(story.says(r#"2/chat,["late"]"#), [""; 0]);
    assert_eq!(
        story.accepts("/chat", "C"),
        ["disconnected /chat C: client namespace disconnect"]
    );
    assert_eq!(story.connection.socket(&namespace("/chat")), None);
    story.says("0/chat");
    story.says("1/chat");
    let refused = story
        .connection
        .refuse(&namespace("/chat"), &ConnectError::new("no"));
    assert_eq!((refused, story.outputs()), (Ok(()), vec![]));
    story.assert_connected();
    assert_eq!(story.says("0/chat"), ["ask /chat -"]);
}

/// Who answers it is not the one who was asked first.
#[test]
fn second_thoughts_come_along() {
    let mut story = Story::connected();
    for text in [
        "0/a,{\"n\":1}",
        "0/a,{\"n\":2}",
        "0/b",
        "1/b",
        "0/c",
        "1/c",
        "0/c",
    ] {
        story.says(text);
    }
    let mut story = moved(&story);
    assert_eq!(story.outputs(), ["ask /a {\"n\":2}", "ask /c -"]);
    assert_eq!(story.accepts("/a", "A"), [r#"send 0/a,{"sid":"A"}"#]);
    assert_eq!(story.accepts("/c", "C"), [r#"send 0/c,{"sid":"C"}"#]);
    assert_eq!(story.says("0/c"), ["repeated /c C"]);
    story.assert_connected();
}

#[test]
fn connect_error_from_a_client_closes() {
    let mut story = Story::connected();
    let told = story.says(r#"4{"message":"you are refused"}"#);
    assert_eq!(
        told,
        [
            "disconnected / S: forced close",
            "close: CONNECT_ERROR from the client"
        ]
    );
    story.assert_closed();
}

#[test]
fn a_client_that_never_connects_is_closed() {
    let mut story = Story::new();
    assert_eq!(
        story.wait(seconds(45) - std::time::Duration::from_millis(1)),
        [""; 0]
    );
    assert_eq!(
        story.wait(seconds(1)),
        ["close: connected to no namespace in time"]
    );
    story.assert_closed();
}

#[test]
fn a_client_that_is_only_refused_is_closed() {
    let mut story = Story::new();
    story.wait(seconds(44));
    story.says("0");
    assert_eq!(
        story.connection.refuse(&namespace("/"), &ConnectError::new("no")),
        Ok(())
    );
    story.outputs();
    assert_eq!(
        story.wait(seconds(1)),
        ["close: connected to no namespace in time"]
    );
    story.assert_closed();
}

/// As in the reference: who is accepted once is not timed any more.
#[test]
fn a_client_that_was_connected_once_may_stay() {
    let mut story = Story::connected();
    assert_eq!(story.connection.deadline(), None);
    story.says("1");
    assert_eq!(story.wait(seconds(3600)), [""; 0]);
    assert_eq!(story.says("0"), ["ask / -"]);
}

/// What the application emits while it still makes up its mind must not overtake its answer.
#[test]
fn early_emits_follow_the_answer() {
    let mut story = Story::new();
    story.says("0");
    assert_eq!(story.emits("/", "first", 1), [""; 0]);
    let (id, told) = story.emits_with_ack("/", "second", 2);
    assert_eq!(told, [""; 0]);
    assert_eq!(
        story.accepts("/", "S"),
        [
            r#"send 0{"sid":"S"}"#,
            r#"send 2["first",1]"#,
            r#"send 20["second",2]"#
        ]
    );
    assert_eq!(story.emits("/", "third", 3), [r#"send 2["third",3]"#]);
    assert_eq!(story.says("30[true]"), ["acked / S 0[true]"]);
    assert_eq!(id.get(), 0);
}

#[test]
fn early_emits_of_a_refused_client_are_dropped() {
    let mut story = Story::new();
    story.says("0");
    story.emits("/", "secret", ());
    assert_eq!(
        story.connection.refuse(&namespace("/"), &ConnectError::new("no")),
        Ok(())
    );
    assert_eq!(story.outputs(), [r#"send 4{"message":"no"}"#]);
    story.says("0");
    assert_eq!(story.accepts("/", "S"), [r#"send 0{"sid":"S"}"#]);
}

#[test]
fn early_emits_are_bounded() {
    let text = r#"42["x",1]"#;
    let max_early_bytes = 2 * text.len();
    let mut story = Story::with(ConnectionConfig {
        max_early_bytes,
        ..ConnectionConfig::default()
    });
    story.says("0");
    story.emits("/", "x", 1);
    story.emits("/", "x", 2);
    let main = namespace("/");
    assert_eq!(
        story.connection.emit(&main, &event("x", 3)),
        Err(EmitError::TooEarly)
    );
    assert_eq!(
        story.connection.emit_with_ack(&main, &event("x", 3)),
        Err(EmitError::TooEarly)
    );
    assert_eq!(story.accepts("/", "S").len(), 3);
    assert_eq!(story.emits("/", "x", 3), [r#"send 2["x",3]"#]);
}

#[test]
fn emits_to_nobody_are_refused() {
    let mut story = Story::connected();
    let nobody = EmitError::NotConnected(NotConnected);
    assert_eq!(
        story.connection.emit(&namespace("/other"), &event("x", ())),
        Err(nobody)
    );
    assert_eq!(
        story
            .connection
            .emit_with_ack(&namespace("/other"), &event("x", ())),
        Err(nobody)
    );
    assert_eq!(story.outputs(), [""; 0]);
}

#[test]
fn namespaces_are_bounded() {
    let mut story = Story::with(ConnectionConfig {
        max_namespaces: 2,
        ..ConnectionConfig::default()
    });
    story.says("0");
    story.accepts("/", "S");
    story.says("0/a");
    let full = r#"send 4/b,{"message":"Too many namespaces"}"#;
    assert_eq!(story.says("0/b"), [full]);
    story.accepts("/a", "A");
    assert_eq!(story.says("0/b"), [full]);
    story.disconnects("/a");
    assert_eq!(
        story.says("0/b"),
        ["ask /b -"],
        "a namespace that was left makes room"
    );
    story.assert_connected();
}
