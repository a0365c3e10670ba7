//! A session that goes on at another node.

use std::time::Instant;

use hither_engineio::{CloseReason, Output, Refusal, Session, SessionSnapshot};

use crate::story::{Story, minutes, seconds};

/// Through bytes, and to a clock that has nothing to do with the first.
pub(crate) fn moved(story: &Story) -> Story {
    let snapshot = story.session.snapshot(story.now);
    let now = Instant::now() + minutes(90);
    Story {
        session: Session::restore(through_bytes(&snapshot), now),
        now,
    }
}

pub(crate) fn through_bytes(snapshot: &SessionSnapshot) -> SessionSnapshot {
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(snapshot, config).expect("a snapshot is plain data");
    let (copy, read) = bincode::serde::decode_from_slice(&bytes, config).expect("what was written");
    assert_eq!((read, &copy), (bytes.len(), snapshot));
    copy
}

#[test]
fn a_polling_session_goes_on_polling() {
    let mut story = moved(&Story::polling());
    story.assert_polling();
    assert_eq!(story.polls(), []);
}

#[test]
fn a_websocket_stays_the_transport() {
    for story in [Story::websocket(), Story::upgraded()] {
        let mut story = moved(&story);
        story.assert_websocket();
        assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    }
}

#[test]
fn a_hanging_poll_does_not_move_and_may_come_again() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    let mut story = moved(&story);
    assert_eq!(story.polls(), []);
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
}

#[test]
fn the_next_ping_keeps_its_time() {
    let mut story = Story::polling();
    assert_eq!(story.wait(seconds(20)), []);
    let mut story = moved(&story);
    assert_eq!(story.wait(seconds(5)), [Output::Ping]);
}

#[test]
fn a_ping_under_way_is_still_to_be_answered() {
    let mut story = Story::websocket();
    assert_eq!(story.wait(seconds(35)), [Output::Ping]);
    let mut silent = moved(&story);
    let mut well = moved(&story);
    assert_eq!(
        silent.wait(seconds(10)),
        [Output::Closed(CloseReason::PingTimeout)]
    );
    assert_eq!(well.says("3"), []);
    assert_eq!(well.wait(seconds(25)), [Output::Ping]);
}

#[test]
fn a_probe_goes_on_and_keeps_its_deadline() {
    let mut story = Story::probing();
    assert_eq!(story.wait(seconds(4)), []);
    let mut failing = moved(&story);
    assert_eq!(failing.wait(seconds(6)), [Output::ProbeFailed]);
    let mut story = moved(&story);
    assert_eq!(story.polls(), [Output::ReleasePoll]);
    story.session.poll_answered();
    assert_eq!(story.says("5"), [Output::Upgraded]);
}

#[test]
fn an_orderly_close_goes_on() {
    let mut story = Story::polling();
    story
        .session
        .close_when_flushed(CloseReason::ForcedClose, story.now);
    let mut story = moved(&story);
    assert_eq!(story.polls(), [Output::Closed(CloseReason::ForcedClose)]);
}

#[test]
fn a_closed_session_stays_closed() {
    let mut story = Story::polling();
    story.session.close(CloseReason::ForcedClose);
    assert_eq!(story.outputs(), [Output::Closed(CloseReason::ForcedClose)]);
    moved(&story).assert_closed(CloseReason::ForcedClose);
}

#[test]
fn a_snapshot_is_small() {
    let snapshot = Story::probing().session.snapshot(Instant::now());
    let bytes = bincode::serde::encode_to_vec(&snapshot, bincode::config::standard()).expect("plain data");
    assert!(bytes.len() < 64, "{} bytes", bytes.len());
    assert!(size_of::<Session>() <= 192, "{} bytes", size_of::<Session>());
}
