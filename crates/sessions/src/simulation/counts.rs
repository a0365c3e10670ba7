//! How many records an operation takes.

use std::time::Duration;

use hither_replication::ShardId;

use super::world::World;

/// A client that is connected to another node than the one that holds its socket.
fn one_client() -> World {
    let mut world = World::new(2, false);
    world.preference = "abc";
    for name in ["a", "b", "c"] {
        world.join(name);
    }
    world.learn_all();
    settle(&mut world);
    let client = world.new_client(ShardId(0));
    connect(&mut world, client, "c");
    world
}

fn settle(world: &mut World) {
    for _ in 0..30 {
        world.drain().unwrap();
        world.pass(Duration::from_millis(50));
    }
    world.drain().unwrap();
}

fn connect(world: &mut World, client: usize, name: &str) {
    let named = |id: &&hither_replication::NodeId| id.to_string().starts_with(name);
    let node = world.nodes.keys().find(named).cloned().unwrap();
    world.connect(client, &node);
    settle(world);
    assert!(world.clients[client].is_open());
}

/// The records that something takes until all is done.
fn records(world: &mut World, operation: impl FnOnce(&mut World)) -> u64 {
    let before = world.records();
    operation(world);
    settle(world);
    assert!(world.clients.iter().all(|client| client.pending.is_empty()));
    world.records() - before
}

fn asked(words: &str) -> u64 {
    let mut world = one_client();
    records(&mut world, |world| {
        world.ask(0, words);
    })
}

#[test]
fn an_echo_takes_none() {
    assert_eq!(asked("echo"), 0);
}

#[test]
fn a_publication_takes_none() {
    assert_eq!(asked("say 1"), 0);
    assert_eq!(asked("both 0 1"), 0);
}

#[test]
fn a_change_of_data_takes_one_and_so_does_one_with_a_publication() {
    assert_eq!(asked("add"), 1);
    assert_eq!(asked("addsay 1"), 1);
}

#[test]
fn an_event_to_the_client_takes_one() {
    assert_eq!(asked("tell"), 1);
}

#[test]
fn an_event_that_awaits_an_ack_takes_one_and_its_ack_another() {
    assert_eq!(asked("ask"), 2);
}

#[test]
fn a_join_takes_one_and_so_does_a_leave() {
    let mut world = one_client();
    let join = |world: &mut World| {
        world.ask(0, "join 1");
    };
    assert_eq!(records(&mut world, join), 1);
    assert_eq!(records(&mut world, join), 0);
    let leave = |world: &mut World| {
        world.ask(0, "leave 1");
    };
    assert_eq!(records(&mut world, leave), 1);
}

#[test]
fn hearing_a_room_takes_none() {
    let mut world = one_client();
    world.ask(0, "join 1");
    settle(&mut world);
    let other = world.new_client(ShardId(1));
    connect(&mut world, other, "a");
    let say = |world: &mut World| {
        for _ in 0..10 {
            world.ask(other, "say 1");
        }
    };
    assert_eq!(records(&mut world, say), 0);
    assert_eq!(world.clients[0].told["say"].len(), 10);
}

#[test]
fn a_direct_event_takes_one_where_it_arrives() {
    let mut world = one_client();
    let other = world.new_client(ShardId(1));
    connect(&mut world, other, "b");
    let number = world.clients[other].socket.number;
    let whisper = |world: &mut World| {
        world.ask(0, &format!("whisper 1 {number}"));
    };
    assert_eq!(records(&mut world, whisper), 1);
}

#[test]
fn a_client_takes_one_to_connect_and_two_to_return_and_none_to_lose_its_connection() {
    let mut world = one_client();
    assert_eq!(world.records(), 1);
    assert_eq!(records(&mut world, |world| world.lose(0, true)), 0);
    // The second says that the handler knows.
    assert_eq!(records(&mut world, |world| connect(world, 0, "b")), 2);
}

#[test]
fn an_endpoint_that_attaches_itself_again_takes_none() {
    let mut world = one_client();
    world.ask(0, "add");
    settle(&mut world);
    let mut nodes = world.nodes.keys().cloned();
    let (a, c) = (nodes.next().unwrap(), nodes.next_back().unwrap());
    assert_eq!(records(&mut world, |world| world.reset(&a, &c)), 0);
    assert!(world.clients[0].is_open());
}

#[test]
fn the_death_of_the_holder_takes_none() {
    let mut world = one_client();
    world.ask(0, "add");
    settle(&mut world);
    let holder = world.holder(ShardId(0)).unwrap();
    let words = world.words(0);
    world.end(&holder);
    let before = world.records();
    world.learn_all();
    settle(&mut world);
    world.ask(0, "echo");
    settle(&mut world);
    assert!(world.clients[0].pending.is_empty());
    assert_eq!(world.words(0), words);
    // What the dead node had counted is gone with it.
    assert_eq!(world.records(), before);
}

#[test]
fn a_client_that_leaves_takes_one_and_one_when_the_others_know() {
    let mut world = one_client();
    assert_eq!(records(&mut world, |world| world.leave(0)), 2);
    assert!(world.clients[0].is_over);
}
