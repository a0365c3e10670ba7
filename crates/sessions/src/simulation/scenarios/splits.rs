//! Clients on two sides of a split. What a client was told on the side that ends is not part of the socket that goes on: it gets
//! a fresh one (F1 to F3).

use hither_replication::ShardId;

use super::{Stage, stage};
use crate::ClosedBecause;

/// A client at `c`, and two at `a`, all with sockets in one shard; then `a` is alone, and `b` takes over on the other side.
fn split() -> Stage {
    let mut stage = stage();
    for _ in 0..2 {
        let client = stage.world.new_client(ShardId(0));
        stage.world.connect(client, &stage.a.clone());
        stage.settle();
    }
    for client in 0..3 {
        stage.world.ask(client, "add");
        stage.settle();
    }
    let (a, b, c) = (stage.a.clone(), stage.b.clone(), stage.c.clone());
    stage.world.split(&[&[&a], &[&b, &c]]);
    stage.settle();
    let holders = stage.world.nodes.values();
    let holding = holders.filter(|node| node.core().state(ShardId(0)).is_some());
    assert_eq!(holding.count(), 2);
    stage
}

fn ask(stage: &mut Stage, client: usize, words: &str) {
    stage.world.ask(client, words);
    stage.settle();
    assert!(stage.world.clients[client].pending.is_empty(), "{words}");
}

/// How often a client was given a fresh socket.
fn begun_anew(stage: &Stage, client: usize) -> usize {
    let closed = stage.world.clients[client].closed.iter();
    closed
        .filter(|because| **because == ClosedBecause::CannotResume)
        .count()
}

#[test]
fn clients_of_one_side_go_on_and_those_of_the_other_begin_anew() {
    for words in ["add", "tell", "join 1", "ask"] {
        let mut stage = split();
        for client in [0, 1] {
            ask(&mut stage, client, words);
        }
        stage.world.heal();
        stage.settle();
        stage.world.reconnect_all();
        stage.settle();
        // Nothing has happened to the third one: it goes on wherever it is.
        assert_eq!(begun_anew(&stage, 2), 0, "{words}");
        let (one, other) = (begun_anew(&stage, 0), begun_anew(&stage, 1));
        assert_eq!(one + other, 1, "{words}: {one} and {other}");
        for client in 0..3 {
            ask(&mut stage, client, "add");
        }
        stage.ends_well();
    }
}

#[test]
fn a_client_that_changes_sides_begins_anew() {
    let mut stage = split();
    ask(&mut stage, 1, "tell");
    ask(&mut stage, 0, "tell");
    // It is the first event of each socket: the numbers are the same.
    stage.world.lose(1, true);
    let c = stage.c.clone();
    stage.world.connect(1, &c);
    stage.settle();
    assert_eq!(begun_anew(&stage, 1), 1);
    stage.world.reconnect_all();
    stage.settle();
    stage.world.heal();
    stage.settle();
    stage.world.reconnect_all();
    stage.settle();
    ask(&mut stage, 1, "add");
    stage.ends_well();
}

#[test]
fn a_client_that_changes_sides_and_was_told_nothing_there_goes_on() {
    let mut stage = split();
    stage.world.lose(2, true);
    let c = stage.c.clone();
    stage.world.connect(2, &c);
    stage.settle();
    assert!(stage.world.clients[2].is_open());
    assert_eq!(begun_anew(&stage, 2), 0);
    ask(&mut stage, 2, "add");
    stage.world.heal();
    stage.settle();
    stage.world.reconnect_all();
    stage.settle();
    stage.ends_well();
}

/// Without looking at where an offset comes from, a client goes on with what it was answered on the side that has ended.
#[test]
#[should_panic(expected = "answered")]
fn offsets_of_the_other_side_that_count_are_caught() {
    let mut stage = split();
    for node in stage.world.nodes.values_mut() {
        node.mutant = Some(crate::simulation::Mutant::TrustOtherSides);
    }
    for client in [0, 1] {
        ask(&mut stage, client, "add");
    }
    stage.world.heal();
    stage.settle();
    stage.world.reconnect_all();
    stage.ends_well();
}
