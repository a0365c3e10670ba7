//! How a session ends.

use hither_engineio::{CLOSE_PATIENCE, CloseReason, Frame, Output};

use crate::story::{JUST_UNDER, Story, seconds, text};

const FORCED: Output = Output::Closed(CloseReason::ForcedClose);

#[test]
fn the_clients_close_packet_ends_the_session() {
    const CLOSED: Output = Output::Closed(CloseReason::TransportClose);
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    assert_eq!(
        story.posts("4bye\x1e1\x1e4ignored"),
        (Ok(()), vec![text("bye"), CLOSED])
    );
    story.assert_closed(CloseReason::TransportClose);
    for mut story in [Story::websocket(), Story::upgraded()] {
        assert_eq!(story.says("1"), [CLOSED]);
        story.assert_closed(CloseReason::TransportClose);
    }
}

#[test]
fn a_websocket_that_is_gone_ends_the_session() {
    for mut story in [Story::websocket(), Story::upgraded()] {
        story.session.websocket_closed();
        assert_eq!(story.outputs(), [Output::Closed(CloseReason::TransportClose)]);
        story.assert_closed(CloseReason::TransportClose);
    }
}

#[test]
fn what_is_no_packet_ends_the_session_on_a_websocket() {
    for packet in ["", "abc", "7", "b*"] {
        for mut story in [Story::websocket(), Story::upgraded()] {
            assert_eq!(
                story.says(packet),
                [Output::Closed(CloseReason::ParseError)],
                "{packet:?}"
            );
            story.assert_closed(CloseReason::ParseError);
        }
    }
}

/// Sketches for microcontrollers begin a WebSocket with `5`, and the reference lets that pass as well.
#[test]
fn a_packet_that_means_nothing_here_is_ignored() {
    for packet in ["0", "0{}", "3", "3unasked", "5", "6", "6noop"] {
        for mut story in [Story::websocket(), Story::upgraded()] {
            assert_eq!(story.says(packet), [], "{packet:?}");
            story.assert_websocket();
        }
        let mut story = Story::polling();
        assert_eq!(story.posts(packet), (Ok(()), vec![]), "{packet:?}");
        story.assert_polling();
    }
}

#[test]
fn a_forced_close_is_immediate_on_every_transport() {
    let mut hanging = Story::polling();
    assert_eq!(hanging.polls(), []);
    for mut story in [hanging, Story::polling(), Story::websocket(), Story::upgraded()] {
        story.session.close(CloseReason::ForcedClose);
        assert_eq!(story.outputs(), [FORCED]);
        story.assert_closed(CloseReason::ForcedClose);
    }
}

#[test]
fn a_session_closed_before_its_first_poll_leaves_no_ghost() {
    let mut story = Story::polling();
    story.session.close(CloseReason::ForcedClose);
    assert_eq!(story.outputs(), [FORCED]);
    assert_eq!(story.session.deadline(), None);
}

#[test]
fn the_first_reason_stands() {
    let mut story = Story::polling();
    story.session.close(CloseReason::Overflow);
    story.session.close(CloseReason::ForcedClose);
    assert_eq!(story.outputs(), [Output::Closed(CloseReason::Overflow)]);
}

#[test]
fn outputs_before_the_end_are_kept() {
    let mut story = Story::websocket();
    story.session.websocket_packet(
        hither_engineio::Packet::decode_text("4last words".into()),
        story.now,
    );
    story.session.close(CloseReason::ForcedClose);
    assert_eq!(story.outputs(), [text("last words"), FORCED]);
}

#[test]
fn a_client_that_closed_gets_a_noop_and_any_other_the_close_packet() {
    assert_eq!(CloseReason::TransportClose.farewell(), Frame::noop());
    for reason in [
        CloseReason::TransportError,
        CloseReason::PingTimeout,
        CloseReason::ParseError,
        CloseReason::ForcedClose,
        CloseReason::Overflow,
        CloseReason::ShuttingDown,
    ] {
        assert_eq!(reason.farewell(), Frame::close());
    }
}

#[test]
fn reasons_are_named_as_the_reference_server_does() {
    let names = [
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::TransportError, "transport error"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::ForcedClose, "forced close"),
        (CloseReason::ShuttingDown, "server shutting down"),
    ];
    for (reason, name) in names {
        assert_eq!(reason.to_string(), name);
    }
}

#[test]
fn an_orderly_close_waits_for_the_next_poll() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(story.outputs(), []);
    assert_eq!(story.polls(), [FORCED]);
    story.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn an_orderly_close_does_not_wait_where_something_carries_the_buffer() {
    let mut hanging = Story::polling();
    assert_eq!(hanging.polls(), []);
    for mut story in [hanging, Story::websocket(), Story::upgraded()] {
        story
            .session
            .close_when_flushed(CloseReason::ForcedClose, story.now);
        assert_eq!(story.outputs(), [FORCED]);
    }
}

#[test]
fn an_orderly_close_loses_patience() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    let mut outputs = story.wait(CLOSE_PATIENCE - JUST_UNDER);
    assert_eq!(outputs, [Output::Ping]);
    outputs = story.wait(JUST_UNDER);
    assert_eq!(outputs, [FORCED]);
}

#[test]
fn an_orderly_close_drops_what_the_client_says_meanwhile() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(story.posts("4too late"), (Ok(()), vec![]));
    assert_eq!(story.polls(), [FORCED]);
}

#[test]
fn an_orderly_close_lets_an_upgrade_finish() {
    let mut story = Story::probing();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(story.outputs(), []);
    assert_eq!(story.says("5"), [Output::Upgraded, FORCED]);

    let mut story = Story::probing();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(story.polls(), [Output::ProbeFailed, FORCED]);
}

#[test]
fn asking_again_for_an_orderly_close_changes_nothing() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(story.wait(seconds(20)), []);
    story
        .session
        .close_when_flushed(CloseReason::ShuttingDown, story.now);
    assert_eq!(story.wait(seconds(10)), [Output::Ping, FORCED]);
}

#[test]
fn a_client_may_end_an_orderly_close_itself() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    assert_eq!(
        story.posts("1"),
        (Ok(()), vec![Output::Closed(CloseReason::TransportClose)])
    );
}
