//! Nodes die while a frame of a client is handled.

use std::time::Duration;

use hither_replication::ShardId;

use super::stage;
use crate::ClosedBecause;

/// C1: what was told to a client and bears a number is never told as something else.
#[test]
fn an_event_to_the_client_leaves_when_it_is_committed() {
    let mut stage = stage();
    stage.world.ask(0, "tell");
    stage.handle(0);
    let (a, c) = (stage.a.clone(), stage.c.clone());
    stage.deliver(&a, &c);
    stage.world.read(0).unwrap();
    assert!(stage.world.clients[0].told.is_empty());
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.clients[0].told["tell"].len(), 1);
    stage.ends_well();
}

/// C2: the answer of a handler that changed nothing, and that it was handled, come together or not at all.
#[test]
fn an_echo_whose_answer_is_lost_runs_again() {
    let mut stage = stage();
    let x = stage.world.ask(0, "echo");
    stage.handle(0);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.answers(), [x]);
    stage.ends_well();
}

/// An echo, then a change; the record of the change reaches the standby, and no answer the client. The next holder has the
/// change, so the echo must not run again behind it: its answer is in the record.
#[test]
fn a_record_takes_the_answer_before_it_along() {
    let mut stage = stage();
    let echo = stage.world.ask(0, "echo");
    let add = stage.world.ask(0, "add");
    stage.handle(0);
    let (a, b) = (stage.a.clone(), stage.b.clone());
    stage.deliver(&a, &b);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.answers(), [echo, add]);
    let lengths: Vec<usize> = stage.world.clients[0]
        .answered
        .iter()
        .map(|it| it.length)
        .collect();
    assert_eq!(lengths, [0, 1]);
    stage.ends_well();
}

/// C3: the standby has the record of a change, and its answer was never sent.
#[test]
fn the_answer_to_a_change_is_in_its_record() {
    let mut stage = stage();
    let x = stage.world.ask(0, "add");
    stage.handle(0);
    let (a, b) = (stage.a.clone(), stage.b.clone());
    stage.deliver(&a, &b);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.answers(), [x]);
    assert_eq!(stage.world.words(0), [format!("add{x}")]);
    stage.ends_well();
}

/// C4: what a handler that changed something publishes does not leave before its record is committed, and leaves from the
/// next holder if it has not.
#[test]
fn a_change_and_its_publication_are_both_or_neither() {
    let mut stage = stage();
    stage.world.ask(0, "join 1");
    stage.settle();
    let x = stage.world.ask(0, "addsay 1");
    stage.handle(0);
    let (a, b) = (stage.a.clone(), stage.b.clone());
    assert!(stage.world.clients[0].told.is_empty());
    stage.deliver(&a, &b);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.clients[0].told["say"], [x]);
    stage.ends_well();
}

/// C2: a frame that only publishes leaves no record; it is handled again, and its publication is known by its identity.
#[test]
fn a_publication_is_told_once_though_its_frame_is_handled_twice() {
    let mut stage = stage();
    // The topic is held by the same node, so that the publication is committed there before it dies.
    stage.world.ask(0, "join 1");
    stage.settle();
    let x = stage.world.ask(0, "say 1");
    stage.handle(0);
    let (a, b) = (stage.a.clone(), stage.b.clone());
    stage.deliver(&a, &b);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.clients[0].told["say"], [x]);
    assert_eq!(stage.answers().last(), Some(&x));
    stage.ends_well();
}

/// C9: what the former holder has sent arrives when the endpoint is attached to the next one.
#[test]
fn what_belongs_to_a_former_attachment_is_not_heard() {
    let mut stage = stage();
    let x = stage.world.ask(0, "add");
    stage.handle(0);
    let (a, b, c) = (stage.a.clone(), stage.b.clone(), stage.c.clone());
    stage.deliver(&a, &b);
    stage.deliver(&b, &a);
    // The answer is on its way to the endpoint, which attaches itself anew.
    stage.world.end(&a);
    stage.world.learn_all();
    let late = stage.world.waiting(&(a.clone(), c.clone()));
    assert!(late > 0);
    for _ in 0..20 {
        stage.deliver(&b, &c);
        stage.deliver(&c, &b);
        stage.world.pass(Duration::from_millis(50));
    }
    stage.deliver(&a, &c);
    stage.settle();
    assert_eq!(stage.answers(), [x]);
    stage.ends_well();
}

/// An ack that is awaited when the client loses its connection is lost, once; and its late answer counts for nothing.
#[test]
fn an_ack_that_is_awaited_over_a_lost_connection_is_lost_once() {
    let mut stage = stage();
    let x = stage.world.ask(0, "ask");
    stage.settle_unanswered();
    stage.world.lose(0, true);
    stage.kill_holder();
    stage.world.connect(0, &stage.c.clone());
    stage.settle();
    assert_eq!(stage.world.words(0), [format!("lost{x}"), "recovered".to_owned()]);
    stage.ends_well();
}

/// An ack that comes to a holder which dies before its record is committed comes again to the next.
#[test]
fn an_ack_is_handled_once_though_it_comes_twice() {
    let mut stage = stage();
    let x = stage.world.ask(0, "ask");
    stage.settle_unanswered();
    stage.world.answer(0);
    stage.handle(0);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.words(0), [format!("acked{x}")]);
    stage.ends_well();
}

/// A client that does not answer in time: the new holder gives it all of its time again.
#[test]
fn an_ack_that_does_not_come_is_lost_at_the_next_holder() {
    let mut stage = stage();
    let x = stage.world.ask(0, "ask");
    stage.settle_unanswered();
    stage.world.pass(crate::simulation::app::PATIENCE / 2);
    stage.settle_unanswered();
    stage.kill_holder();
    for _ in 0..40 {
        stage.settle_unanswered();
    }
    assert_eq!(stage.world.words(0), [format!("lost{x}")]);
}

/// A client that nobody wants is told so, and leaves nothing behind.
#[test]
fn a_socket_that_ends_tells_others_and_is_gone() {
    let mut stage = stage();
    let other = stage.world.new_client(ShardId(1));
    stage.world.connect(other, &stage.b.clone());
    stage.settle();
    stage.world.ask(other, "join 0");
    stage.settle();
    let number = stage.world.clients[0].socket.number;
    stage.world.leave(0);
    stage.handle(0);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.clients[0].closed, [ClosedBecause::Ended]);
    assert_eq!(stage.world.clients[other].told["bye"], [number]);
    stage.ends_well();
}
