//! Pings of the server, pongs of the client, and what comes of silence.

use std::time::Duration;

use hither_engineio::{CloseReason, Output, Refusal, Session, SessionConfig, TransportName};

use crate::moving::moved;
use crate::story::{JUST_UNDER, Story, minutes, seconds};

#[test]
fn the_server_pings_one_interval_after_opening_and_after_each_pong() {
    for mut story in [Story::polling(), Story::websocket()] {
        for _ in 0..3 {
            assert_eq!(story.wait(seconds(25) - JUST_UNDER), []);
            assert_eq!(story.wait(JUST_UNDER), [Output::Ping]);
            assert_eq!(story.wait(seconds(7)), []);
            match story.session.transport() {
                Some(TransportName::Polling) => assert_eq!(story.posts("3"), (Ok(()), vec![])),
                _ => assert_eq!(story.says("3"), []),
            }
        }
    }
}

#[test]
fn silence_for_the_timeout_alone_ends_the_session() {
    for mut story in [Story::polling(), Story::websocket()] {
        assert_eq!(story.wait(seconds(25)), [Output::Ping]);
        assert_eq!(story.wait(seconds(20) - JUST_UNDER), []);
        assert_eq!(story.wait(JUST_UNDER), [Output::Closed(CloseReason::PingTimeout)]);
        story.assert_closed(CloseReason::PingTimeout);
    }
}

#[test]
fn a_client_that_never_polls_again_is_given_up() {
    let mut story = Story::polling();
    assert_eq!(
        story.wait(minutes(5)),
        [Output::Ping, Output::Closed(CloseReason::PingTimeout)]
    );
}

/// The pong may be queued behind them: a client that is busy sending is not gone.
#[test]
fn what_is_no_pong_is_a_sign_of_life_once_for_each_ping() {
    for packet in ["4busy", "6", "5", "0{}"] {
        let mut story = Story::websocket();
        assert_eq!(story.wait(seconds(25)), [Output::Ping]);
        assert_eq!(story.wait(seconds(20) - JUST_UNDER), []);
        story.says(packet);
        assert_eq!(story.wait(seconds(20) - JUST_UNDER), [], "{packet}");
        let mut silent = moved(&story);
        assert_eq!(silent.says("4still busy").len(), 1);
        assert_eq!(
            silent.wait(JUST_UNDER),
            [Output::Closed(CloseReason::PingTimeout)]
        );
        assert_eq!(story.says("3"), []);
        assert_eq!(story.wait(seconds(25)), [Output::Ping]);
        assert_eq!(story.wait(seconds(19)), []);
        story.assert_websocket();
        assert_eq!(story.wait(seconds(19)), [], "the next ping has its own");
    }
}

#[test]
fn what_comes_before_the_ping_is_no_answer_to_it() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(25) - JUST_UNDER), []);
    story.assert_polling();
    assert_eq!(story.wait(JUST_UNDER), [Output::Ping]);
    assert_eq!(
        story.wait(seconds(20)),
        [Output::Closed(CloseReason::PingTimeout)]
    );
}

#[test]
fn a_client_that_is_still_sending_has_time_until_it_is_done() {
    for mut story in [Story::polling(), Story::websocket()] {
        assert_eq!(story.wait(seconds(25)), [Output::Ping]);
        for _ in 0..5 {
            assert_eq!(story.wait(seconds(15)), []);
            story.session.receiving(story.now);
        }
        assert_eq!(story.wait(seconds(20) - JUST_UNDER), []);
        assert_eq!(story.wait(JUST_UNDER), [Output::Closed(CloseReason::PingTimeout)]);
    }
}

#[test]
fn sending_does_not_put_off_the_ping() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(24)), []);
    story.session.receiving(story.now);
    assert_eq!(story.wait(seconds(1)), [Output::Ping]);
}

#[test]
fn a_pong_that_nobody_asked_for_does_not_put_off_the_ping() {
    let mut story = Story::websocket();
    assert_eq!(story.wait(seconds(24)), []);
    assert_eq!(story.says("3"), []);
    assert_eq!(story.wait(seconds(1)), [Output::Ping]);
}

#[test]
fn a_pong_that_was_waiting_while_the_process_stood_still_is_in_time() {
    let mut story = Story::websocket();
    assert_eq!(story.wait(seconds(25)), [Output::Ping]);
    story.now += minutes(1);
    assert_eq!(story.says("3"), []);
    story.session.tick(story.now);
    assert_eq!(story.outputs(), []);
    story.assert_websocket();
}

#[test]
fn a_ping_that_goes_out_hardly_late_counts_as_in_time() {
    let mut story = Story::websocket();
    assert_eq!(
        story.wait(seconds(25) + Duration::from_millis(20)),
        [Output::Ping]
    );
    assert_eq!(story.wait(seconds(20) - Duration::from_millis(21)), []);
    assert_eq!(
        story.wait(Duration::from_millis(1)),
        [Output::Closed(CloseReason::PingTimeout)]
    );
}

#[test]
fn a_ping_that_goes_out_late_leaves_the_client_its_whole_time() {
    let mut story = Story::websocket();
    story.now += minutes(1);
    story.session.tick(story.now);
    assert_eq!(story.outputs(), [Output::Ping]);
    assert_eq!(story.wait(seconds(20) - JUST_UNDER), []);
    assert_eq!(story.wait(JUST_UNDER), [Output::Closed(CloseReason::PingTimeout)]);
}

#[test]
fn a_session_that_was_lost_for_a_while_pings_at_once() {
    for mut story in [Story::polling(), Story::websocket()] {
        assert_eq!(story.wait(seconds(25)), [Output::Ping]);
        story.session.ping_soon(story.now);
        assert_eq!(story.wait(Duration::ZERO), [Output::Ping]);
        assert_eq!(
            story.wait(seconds(20)),
            [Output::Closed(CloseReason::PingTimeout)]
        );
    }
}

/// A v3 client pings; in v4 that is the server's part, and a probe is a probe on a new WebSocket only.
#[test]
fn a_ping_from_the_client_ends_the_session() {
    for ping in ["2", "2probe"] {
        let mut story = Story::polling();
        let closed = vec![Output::Closed(CloseReason::TransportError)];
        assert_eq!(story.posts(ping), (Err(Refusal::BadRequest), closed.clone()));
        for mut story in [Story::websocket(), Story::upgraded()] {
            assert_eq!(story.says(ping), closed);
            story.assert_closed(CloseReason::TransportError);
        }
    }
}

#[test]
fn the_upgrade_does_not_reset_the_heartbeat() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(20)), []);
    story.attach();
    assert_eq!(story.says("2probe"), [Output::ProbeAccepted]);
    assert_eq!(story.says("5"), [Output::Upgraded]);
    assert_eq!(story.wait(seconds(5)), [Output::Ping]);
}

#[test]
fn a_ping_before_the_upgrade_is_answered_after_it_or_else() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(40)), [Output::Ping]);
    story.attach();
    assert_eq!(story.says("2probe"), [Output::ProbeAccepted]);
    assert_eq!(
        story.says("5"),
        [Output::Upgraded],
        "which is a sign of life, too"
    );
    let mut silent = Story {
        session: story.session.clone(),
        now: story.now,
    };
    assert_eq!(story.says("3"), []);
    assert_eq!(story.wait(seconds(25)), [Output::Ping]);
    assert_eq!(
        silent.wait(seconds(20)),
        [Output::Closed(CloseReason::PingTimeout)]
    );
}

#[test]
fn settings_beyond_all_reason_do_no_harm() {
    let endless = std::time::Duration::MAX;
    let config = SessionConfig {
        ping_interval: endless,
        ping_timeout: endless,
        upgrade_timeout: endless,
        max_payload: 0,
    };
    let mut story = Story::polling();
    story.session = Session::open(config, TransportName::Polling, story.now);
    story.attach();
    assert!(
        story
            .session
            .deadline()
            .is_some_and(|deadline| deadline > story.now + minutes(60))
    );
}
