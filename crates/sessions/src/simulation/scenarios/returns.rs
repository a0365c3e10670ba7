//! Clients return, and direct events wait for them.

use std::time::Duration;

use hither_replication::ShardId;

use super::stage;
use crate::ClosedBecause;

/// E1: a client that was given a new socket shows what it had heard as another one.
#[test]
fn an_offset_of_another_socket_counts_for_nothing() {
    let mut stage = stage();
    stage.world.ask(0, "tell");
    stage.settle();
    let foreign = stage.world.clients[0].offset.clone().unwrap();
    let other = stage.world.new_client(ShardId(0));
    stage.world.connect(other, &stage.b.clone());
    stage.settle();
    stage.world.clients[other].offset = Some(foreign);
    let x = stage.world.ask(other, "tell");
    // It is told nothing of that: the connection is lost before.
    stage.handle(other);
    stage.world.lose(other, true);
    stage.settle();
    stage.world.connect(other, &stage.c.clone());
    stage.settle();
    assert_eq!(stage.world.clients[other].told["tell"], [x]);
    stage.ends_well();
}

/// E2: joins and leaves between what the client has heard and its return.
#[test]
fn a_client_returns_behind_joins_and_leaves_that_it_knows_nothing_of() {
    let mut stage = stage();
    let speaker = stage.world.new_client(ShardId(1));
    stage.world.connect(speaker, &stage.b.clone());
    stage.world.ask(0, "join 1");
    stage.settle();
    stage.world.ask(speaker, "say 1");
    stage.settle();
    let early = stage.world.clients[0].offset.clone();
    stage.world.ask(0, "leave 1");
    stage.settle();
    stage.world.ask(0, "join 1");
    stage.settle();
    stage.world.ask(0, "join 0");
    stage.settle();
    // It has heard of none of these when its connection ends.
    stage.world.lose(0, true);
    stage.world.clients[0].offset = early;
    let x = stage.world.ask(speaker, "say 1");
    let y = stage.world.ask(speaker, "say 0");
    stage.settle();
    stage.world.connect(0, &stage.b.clone());
    stage.settle();
    let mut told = stage.world.clients[0].told["say"][1..].to_vec();
    told.sort_unstable();
    assert_eq!(told, [x, y]);
    stage.ends_well();
}

/// E3: a client that shows less than it has heard is told events again that are kept, and nothing else.
#[test]
fn an_offset_that_cannot_be_is_the_end_of_a_socket() {
    let mut stage = stage();
    stage.world.ask(0, "tell");
    stage.settle();
    let offset = stage.world.clients[0].offset.clone().unwrap();
    let beyond = crate::ClientOffset {
        events: crate::OutputNumber(u64::MAX),
        ..offset
    };
    stage.world.lose(0, true);
    stage.world.clients[0].offset = Some(beyond);
    stage.world.connect(0, &stage.b.clone());
    let mut closed = Ok(());
    for _ in 0..10 {
        closed = closed.and_then(|()| stage.world.drain());
        stage.world.pass(Duration::from_millis(50));
    }
    assert!(closed.unwrap_err().contains("CannotResume"));
    assert_eq!(stage.world.clients[0].closed, [ClosedBecause::CannotResume]);
}

/// E4: who asks for a socket while nobody holds its shard waits. It is never told that there is none.
#[test]
fn a_return_waits_for_a_holder() {
    let mut stage = stage();
    stage.world.ask(0, "add");
    stage.settle();
    stage.world.lose(0, true);
    stage.world.end(&stage.a.clone());
    // Nobody knows of the death yet.
    stage.world.connect(0, &stage.c.clone());
    for _ in 0..20 {
        stage.world.drain().unwrap();
        stage.world.pass(Duration::from_millis(100));
    }
    assert!(!stage.world.clients[0].is_open() && stage.world.clients[0].closed.is_empty());
    stage.world.learn_all();
    stage.settle();
    assert!(stage.world.clients[0].is_open());
    stage.ends_well();
}

/// E5: a client returns twice, and both are on their way at once.
#[test]
fn of_two_that_return_the_later_has_the_socket() {
    let mut stage = stage();
    let x = stage.world.ask(0, "add");
    stage.settle();
    stage.world.lose(0, false);
    stage.world.connect(0, &stage.b.clone());
    // Its second connection is lost too, and neither node has noticed.
    stage.world.lose(0, false);
    stage.world.connect(0, &stage.c.clone());
    stage.settle();
    assert!(stage.world.clients[0].is_open());
    let y = stage.world.ask(0, "add");
    stage.settle();
    let words = stage.world.words(0);
    assert_eq!(words.first(), Some(&format!("add{x}")));
    assert_eq!(words.last(), Some(&format!("add{y}")));
    stage.ends_well();
}

/// E5: the holder dies when it has taken a return and nobody else knows of that.
#[test]
fn a_return_that_was_not_committed_is_repeated() {
    let mut stage = stage();
    let x = stage.world.ask(0, "add");
    stage.settle();
    stage.world.lose(0, true);
    stage.world.connect(0, &stage.c.clone());
    let (a, c) = (stage.a.clone(), stage.c.clone());
    stage.deliver(&c, &a);
    stage.deliver(&a, &c);
    assert!(!stage.world.clients[0].is_open());
    stage.kill_holder();
    stage.settle();
    assert!(stage.world.clients[0].is_open());
    assert_eq!(stage.world.words(0), [format!("add{x}"), "recovered".to_owned()]);
    stage.ends_well();
}

/// E6: events for a socket alone come in their order, also those that came while the client was away.
#[test]
fn direct_events_wait_for_a_client_that_is_away() {
    let mut stage = stage();
    let sender = stage.world.new_client(ShardId(1));
    stage.world.connect(sender, &stage.b.clone());
    stage.settle();
    let number = stage.world.clients[0].socket.number;
    stage.world.lose(0, true);
    let first = stage.world.ask(sender, &format!("whisper 0 {number}"));
    let second = stage.world.ask(sender, &format!("whisper 0 {number}"));
    stage.settle();
    stage.kill_holder();
    stage.settle();
    stage.world.connect(0, &stage.b.clone());
    stage.settle();
    assert_eq!(stage.world.clients[0].told["whisper"], [first, second]);
    stage.ends_well();
}

/// An event to a socket whose holder dies when it has recorded it and not confirmed it: it is sent again, and known.
#[test]
fn a_direct_event_is_told_once_though_it_is_sent_twice() {
    let mut stage = stage();
    let sender = stage.world.new_client(ShardId(1));
    stage.world.connect(sender, &stage.b.clone());
    stage.settle();
    let number = stage.world.clients[0].socket.number;
    let x = stage.world.ask(sender, &format!("whisper 0 {number}"));
    stage.handle(sender);
    // Recorded, and not confirmed: the sender's node handles its frame again.
    let (a, b) = (stage.a.clone(), stage.b.clone());
    stage.deliver(&a, &b);
    stage.kill_holder();
    stage.settle();
    assert_eq!(stage.world.clients[0].told["whisper"], [x]);
    stage.ends_well();
}
