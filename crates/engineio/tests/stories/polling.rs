//! GETs and POSTs.

use bytes::Bytes;
use hither_engineio::{CloseReason, Message, Output, Refusal};

use crate::story::{Story, text};

const BROKEN: [Output; 1] = [Output::Closed(CloseReason::TransportError)];

#[test]
fn polls_follow_one_another() {
    let mut story = Story::polling();
    for _ in 0..3 {
        assert_eq!(story.polls(), []);
        story.session.poll_answered();
    }
    story.assert_polling();
}

#[test]
fn a_second_poll_beside_a_hanging_one_is_refused_and_closes_the_session() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    assert_eq!(story.outputs(), BROKEN);
    story.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_second_poll_before_a_released_one_is_answered_is_one_too_many() {
    let mut story = Story::probing();
    assert_eq!(story.polls(), [Output::ReleasePoll]);
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    assert_eq!(
        story.outputs(),
        [Output::ProbeFailed, Output::Closed(CloseReason::TransportError)]
    );
}

#[test]
fn a_cancelled_poll_closes_the_session() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    story.session.poll_cancelled();
    assert_eq!(story.outputs(), BROKEN);
    story.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_poll_that_was_answered_can_no_longer_be_cancelled() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    story.session.poll_answered();
    story.session.poll_cancelled();
    assert_eq!(story.outputs(), []);
    story.assert_polling();
}

/// The client may try again through another node, and a proxy may do so for it.
#[test]
fn a_poll_lost_with_its_node_does_not_count_as_overlapping() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    story.session.poll_lost();
    assert_eq!(story.polls(), []);
    story.assert_polling();
}

#[test]
fn a_payload_hands_up_its_messages_in_order() {
    let mut story = Story::polling();
    let (answer, outputs) = story.posts("4one\x1ebAQIDBA==\x1e3\x1e6\x1e4");
    assert_eq!(answer, Ok(()));
    let binary = Output::Message(Message::Binary(Bytes::from_static(&[1, 2, 3, 4])));
    assert_eq!(outputs, [text("one"), binary, text("")]);
    story.assert_polling();
}

#[test]
fn posts_do_not_disturb_a_hanging_poll() {
    let mut story = Story::polling();
    assert_eq!(story.polls(), []);
    story.assert_polling();
    story.session.poll_answered();
    assert_eq!(story.polls(), []);
}

#[test]
fn a_malformed_payload_is_refused_as_a_whole_and_closes_the_session() {
    for body in ["", "abc", "4fine\x1e", "4fine\x1e9", "4fine\x1eb*"] {
        let mut story = Story::polling();
        let closed = vec![Output::Closed(CloseReason::ParseError)];
        assert_eq!(story.posts(body), (Err(Refusal::BadRequest), closed), "{body:?}");
        story.assert_closed(CloseReason::ParseError);
    }
}

#[test]
fn a_packet_out_of_place_ends_the_payload_and_the_session() {
    let mut story = Story::polling();
    let outputs = vec![text("before"), Output::Closed(CloseReason::TransportError)];
    let answer = story.posts("4before\x1e2\x1e4after");
    assert_eq!(answer, (Err(Refusal::BadRequest), outputs));
    story.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_session_that_opened_on_a_websocket_is_not_polled() {
    let mut story = Story::websocket();
    assert_eq!(story.session.poll_started(), Err(Refusal::BadRequest));
    assert_eq!(story.posts("4hello"), (Err(Refusal::BadRequest), vec![]));
    assert_eq!(story.posts("malformed"), (Err(Refusal::BadRequest), vec![]));
    story.assert_websocket();
}
