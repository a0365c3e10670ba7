//! From polling to a WebSocket.

use hither_engineio::{CloseReason, Output, Packet, Refusal, TransportName};

use crate::story::{JUST_UNDER, Story, minutes, seconds, text};

#[test]
fn an_upgrade_as_the_specification_draws_it() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    story.attach();
    assert_eq!(story.says("2probe"), [Output::ProbeAccepted, Output::ReleasePoll]);
    story.session.poll_answered();
    assert_eq!(story.says("5"), [Output::Upgraded]);
    story.assert_websocket();
}

/// One noop is not enough: the client may have polled again before it heard of the probe's success.
#[test]
fn every_poll_while_a_probe_is_under_way_is_answered_at_once() {
    let mut story = Story::probing();
    for _ in 0..10 {
        assert_eq!(story.polls(), [Output::ReleasePoll]);
        story.session.poll_answered();
    }
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

#[test]
fn a_socket_that_says_nothing_does_not_make_the_client_poll_in_circles() {
    let mut story = Story::polling();
    story.attach();
    assert_eq!(story.polls(), []);
    assert_eq!(story.wait(seconds(9)), []);
}

#[test]
fn a_poll_that_still_hangs_at_the_upgrade_is_released_after_the_buffer_was_handed_over() {
    let mut story = Story::polling();
    story.attach();
    assert_eq!(story.polls(), []);
    assert_eq!(story.says("5"), [Output::Upgraded, Output::ReleasePoll]);
    story.session.poll_answered();
    story.assert_websocket();
}

#[test]
fn a_poll_is_told_once_to_be_answered() {
    let mut story = Story::probing();
    assert_eq!(story.polls(), [Output::ReleasePoll]);
    assert_eq!(story.says("2probe"), []);
    assert_eq!(story.says("5"), [Output::Upgraded]);
    story.session.poll_answered();
    story.assert_websocket();
}

/// A client that probes again and again and reads nothing must not pile up answers.
#[test]
fn only_the_first_probe_is_answered() {
    let mut story = Story::polling();
    story.attach();
    assert_eq!(story.says("2probe"), [Output::ProbeAccepted]);
    for _ in 0..100 {
        assert_eq!(story.says("2probe"), []);
    }
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

/// Nothing in the outputs can put a noop on a socket: there is one for polls alone.
#[test]
fn after_the_upgrade_nothing_is_released() {
    let mut story = Story::upgraded();
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    story.session.poll_answered();
    story.session.poll_cancelled();
    story.session.poll_lost();
    assert_eq!(story.outputs(), []);
    story.assert_websocket();
}

#[test]
fn requests_on_the_transport_that_was_left_are_refused_without_harm() {
    let mut story = Story::upgraded();
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    assert_eq!(story.posts("4late"), (Err(Refusal::BadRequest), vec![]));
    assert_eq!(story.posts("malformed"), (Err(Refusal::BadRequest), vec![]));
    assert_eq!(story.posts("1"), (Err(Refusal::BadRequest), vec![]));
    story.assert_websocket();
}

#[test]
fn a_second_websocket_is_refused_without_harm() {
    for mut story in [Story::websocket(), Story::upgraded()] {
        assert_eq!(
            story.session.websocket_attached(story.now),
            Err(Refusal::BadRequest)
        );
        assert_eq!(story.outputs(), []);
        story.assert_websocket();
    }
    let mut story = Story::probing();
    assert_eq!(
        story.session.websocket_attached(story.now),
        Err(Refusal::BadRequest)
    );
    assert_eq!(story.outputs(), []);
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

#[test]
fn a_probe_has_a_deadline_of_its_own() {
    for mut story in [Story::probing(), {
        let mut silent = Story::polling();
        silent.attach();
        silent
    }] {
        assert_eq!(story.wait(seconds(10) - JUST_UNDER), []);
        assert_eq!(story.wait(JUST_UNDER), [Output::ProbeFailed]);
        story.assert_polling();
        assert_eq!(story.polls(), []);
    }
}

#[test]
fn chatter_on_the_probing_socket_does_not_put_off_the_deadline() {
    let mut story = Story::probing();
    for _ in 0..9 {
        assert_eq!(story.wait(seconds(1)), []);
        assert_eq!(story.says("2probe"), []);
    }
    assert_eq!(story.wait(seconds(1)), [Output::ProbeFailed]);
}

#[test]
fn an_upgrade_in_time_has_no_deadline_any_more() {
    let mut story = Story::probing();
    assert_eq!(story.wait(seconds(10) - JUST_UNDER), []);
    assert_eq!(story.says("5"), [Output::Upgraded]);
    assert_eq!(story.wait(seconds(5)), []);
    story.assert_websocket();
}

#[test]
fn an_upgrade_that_comes_too_late_is_not_heard() {
    let mut story = Story::probing();
    assert_eq!(story.wait(seconds(10)), [Output::ProbeFailed]);
    assert_eq!(story.says("5"), []);
    story.assert_polling();
}

#[test]
fn the_wrong_packet_on_the_probing_socket_ends_the_probe_and_no_more() {
    for packet in ["0{}", "1", "2", "2prob", "3probe", "4hello", "6", "", "x"] {
        for mut story in [Story::probing(), {
            let mut silent = Story::polling();
            silent.attach();
            silent
        }] {
            assert_eq!(story.says(packet), [Output::ProbeFailed], "{packet:?}");
            story.assert_polling();
        }
    }
    let mut story = Story::probing();
    let binary = Ok(Packet::decode_binary((&b"5"[..]).into()));
    assert_eq!(story.hears(binary), [Output::ProbeFailed]);
    story.assert_polling();
}

#[test]
fn a_probing_socket_that_closes_does_no_harm_and_another_may_try() {
    let mut story = Story::probing();
    story.session.websocket_closed();
    assert_eq!(story.outputs(), []);
    assert_eq!(story.polls(), []);
    story.session.poll_answered();
    story.attach();
    assert_eq!(story.says("2probe"), [Output::ProbeAccepted]);
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

#[test]
fn a_poll_that_hangs_survives_a_probe_that_fails() {
    let mut story = Story::polling();
    story.attach();
    assert_eq!(story.polls(), []);
    assert_eq!(story.says("4too early"), [Output::ProbeFailed]);
    assert_eq!(story.session.transport(), Some(TransportName::Polling));
    assert_eq!(
        story.session.poll_started(),
        Err(Refusal::BadRequest),
        "the first one still hangs"
    );
}

#[test]
fn posts_go_on_while_a_probe_is_under_way() {
    let mut story = Story::probing();
    story.assert_polling();
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

#[test]
fn what_follows_the_upgrade_packet_is_heard() {
    let mut story = Story::upgraded();
    assert_eq!(story.says("4hello"), [text("hello")]);
    let binary = Packet::decode_binary((&b"\x01"[..]).into());
    let Packet::Message(message) = binary.clone() else {
        unreachable!("a binary frame is a message")
    };
    assert_eq!(story.hears(Ok(binary)), [Output::Message(message)]);
}

/// The reference server does not insist on a probe before the upgrade, and some clients skip it.
#[test]
fn an_upgrade_without_a_probe_is_accepted() {
    let mut story = Story::polling();
    story.attach();
    assert_eq!(story.says("5"), [Output::Upgraded]);
    story.assert_websocket();
}

#[test]
fn the_end_of_the_session_takes_the_probe_with_it() {
    let mut story = Story::probing();
    story.session.close(CloseReason::ForcedClose);
    assert_eq!(
        story.outputs(),
        [Output::ProbeFailed, Output::Closed(CloseReason::ForcedClose)]
    );
    story.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn heartbeats_go_on_while_a_probe_is_under_way() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(20)), []);
    story.attach();
    let outputs = story.wait(minutes(5));
    assert_eq!(
        outputs,
        [
            Output::Ping,
            Output::ProbeFailed,
            Output::Closed(CloseReason::PingTimeout)
        ]
    );
}
