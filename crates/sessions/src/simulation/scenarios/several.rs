//! What is sent to several rooms at once is told once: through the first of them that a socket was in there (B9).

use hither_replication::ShardId;

use super::{Stage, stage};

/// A client in these rooms, and a speaker at `b`.
fn listening(rooms: &[u32]) -> Stage {
    let mut stage = stage();
    let speaker = stage.world.new_client(ShardId(1));
    stage.world.connect(speaker, &stage.b.clone());
    stage.settle();
    for room in rooms {
        stage.world.ask(0, &format!("join {room}"));
        stage.settle();
    }
    stage
}

/// The speaker says something in both rooms. The first copy is committed, and the second one is on its way to the standby.
fn say_first_copy(stage: &mut Stage) -> u64 {
    let x = stage.world.ask(1, "both 0 1");
    stage.handle(1);
    let (a, b) = (stage.a.clone(), stage.b.clone());
    stage.deliver(&a, &b);
    stage.deliver(&b, &a);
    assert!(stage.world.waiting(&(a, b)) > 0);
    x
}

/// A client in these rooms does this between the two copies, and is told what was said once.
fn is_told_once(rooms: &[u32], between: &str) {
    let mut stage = listening(rooms);
    let x = say_first_copy(&mut stage);
    stage.world.ask(0, between);
    let (a, c) = (stage.a.clone(), stage.c.clone());
    stage.deliver(&c, &a);
    stage.run_all();
    stage.settle();
    assert_eq!(told(&stage, 0), [x]);
    stage.ends_well();
}

fn told(stage: &Stage, client: usize) -> &[u64] {
    let told = stage.world.clients[client].told.get("say");
    told.map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn who_is_in_both_rooms_is_told_once() {
    let mut stage = listening(&[0, 1]);
    let x = stage.world.ask(1, "both 0 1");
    let y = stage.world.ask(1, "both 1 0");
    let z = stage.world.ask(1, "both 0 0");
    stage.settle();
    assert_eq!(told(&stage, 0), [x, y, z]);
    stage.ends_well();
}

#[test]
fn who_joins_the_first_room_between_the_copies_is_told_through_the_second() {
    is_told_once(&[1], "join 0");
}

#[test]
fn who_leaves_the_first_room_between_the_copies_is_not_told_again() {
    is_told_once(&[0, 1], "leave 0");
}

#[test]
fn the_second_copy_is_published_by_the_next_holder() {
    for rooms in [&[0, 1][..], &[0], &[1]] {
        let mut stage = listening(rooms);
        let x = say_first_copy(&mut stage);
        stage.kill_holder();
        stage.settle();
        assert_eq!(told(&stage, 0), [x], "{rooms:?}");
        stage.ends_well();
    }
}

#[test]
fn who_returns_is_told_once() {
    for loses_first in [false, true] {
        let mut stage = listening(&[0, 1]);
        if loses_first {
            stage.world.lose(0, true);
        }
        let x = say_first_copy(&mut stage);
        if !loses_first {
            // It may have heard the first copy, and returns by an offset between the two.
            let (a, c) = (stage.a.clone(), stage.c.clone());
            stage.deliver(&a, &c);
            while stage.world.read_one(0).unwrap() {}
            stage.world.lose(0, true);
        }
        stage.settle();
        stage.world.connect(0, &stage.b.clone());
        stage.settle();
        assert_eq!(told(&stage, 0), [x]);
        stage.ends_well();
    }
}

/// What one handler sends to several rooms, and then to one of them, comes in that order.
#[test]
fn what_is_sent_behind_it_comes_behind_it() {
    let mut stage = listening(&[0, 1]);
    let x = stage.world.ask(1, "both 1 0");
    let y = stage.world.ask(1, "say 1");
    let z = stage.world.ask(1, "both 0 1");
    let w = stage.world.ask(1, "say 0");
    stage.settle();
    assert_eq!(told(&stage, 0), [x, y, z, w]);
    stage.ends_well();
}
