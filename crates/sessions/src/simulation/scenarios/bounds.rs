//! What happens when something is full.

use std::time::Duration;

use hither_replication::ShardId;

use super::{Stage, stage, stage_with};
use crate::{ClosedBecause, Endpoint, Settings};

const KEPT: u32 = 2_000;

fn narrow() -> Settings {
    Settings {
        kept_bytes: KEPT,
        ..Settings::default()
    }
}

/// Another client, which sends so many events to the first one.
fn whisper(stage: &mut Stage, times: usize) -> Vec<u64> {
    let number = stage.world.clients[0].socket.number;
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(stage.world.ask(1, &format!("whisper 0 {number}")));
        stage.settle();
    }
    all
}

/// `stage`, and a client at `b` that may speak to the other one.
fn two_clients() -> Stage {
    let mut stage = stage_with(narrow());
    let sender = stage.world.new_client(ShardId(1));
    stage.world.connect(sender, &stage.b.clone());
    stage.settle();
    stage
}

fn closed(stage: &mut Stage) -> Vec<ClosedBecause> {
    // That a client is closed against its will is an error elsewhere.
    for _ in 0..40 {
        while stage.world.drain().is_err() {}
        stage.world.pass(Duration::from_millis(50));
    }
    stage.world.clients[0].closed.clone()
}

#[test]
fn events_for_a_client_that_is_away_are_kept_as_far_as_there_is_room() {
    let mut stage = two_clients();
    stage.world.lose(0, true);
    let few = whisper(&mut stage, 5);
    stage.world.connect(0, &stage.c.clone());
    stage.settle();
    assert_eq!(stage.world.clients[0].told["whisper"], few);
    assert!(stage.world.clients[0].closed.is_empty());
    stage.ends_well();
}

#[test]
fn a_client_for_which_too_much_has_come_begins_anew() {
    for dies in [false, true] {
        let mut stage = two_clients();
        stage.world.lose(0, true);
        whisper(&mut stage, 50);
        let holder = stage.world.holder(stage.world.clients[0].socket.shard).unwrap();
        let node = &stage.world.nodes[&holder];
        let state = node.core().state(stage.world.clients[0].socket.shard).unwrap();
        let socket = state.socket(&stage.world.clients[0].socket).unwrap();
        assert!(socket.kept_bytes() <= KEPT as usize, "{}", socket.kept_bytes());
        if dies {
            stage.kill_holder();
        }
        // Whoever sent that was answered, and is not held up.
        assert!(stage.world.clients[1].pending.is_empty());
        stage.world.connect(0, &stage.c.clone());
        assert_eq!(closed(&mut stage), [ClosedBecause::CannotResume]);
    }
}

/// What a holder has sent to an endpoint that does not confirm it is dropped from the state in time. If the holder dies then, the
/// next one does not have what the endpoint lacks.
#[test]
fn an_endpoint_that_lacks_what_was_dropped_begins_anew() {
    let mut stage = two_clients();
    let (a, c) = (stage.a.clone(), stage.c.clone());
    // The way to the client's node is slow.
    stage.world.hold(&a, &c);
    whisper(&mut stage, 50);
    stage.world.release();
    stage.kill_holder();
    assert_eq!(closed(&mut stage), [ClosedBecause::CannotResume]);
}

#[test]
fn who_reads_more_of_a_client_than_an_endpoint_takes_ends_it() {
    let mut stage = stage();
    for _ in 0..Endpoint::MAX_FRAMES {
        stage.world.ask(0, "echo");
    }
    assert!(stage.world.clients[0].closed.is_empty());
    stage.world.ask(0, "echo");
    assert!(stage.world.read(0).is_err());
    assert_eq!(stage.world.clients[0].closed, [ClosedBecause::Overrun]);
}

#[test]
fn publications_wait_until_there_is_room() {
    let mut settings = Settings::default();
    settings.core.pending_bytes = 600;
    let mut stage = stage_with(settings);
    stage.world.ask(0, "join 1");
    stage.settle();
    let said: Vec<u64> = (0..20).map(|_| stage.world.ask(0, "say 1")).collect();
    stage.handle(0);
    assert!(stage.world.nodes[&stage.a].is_waiting_for_room());
    stage.settle();
    assert!(!stage.world.nodes[&stage.a].is_waiting_for_room());
    assert_eq!(stage.world.clients[0].told["say"], said);
    stage.ends_well();
}

#[test]
fn frames_wait_while_what_was_said_is_not_known_to_have_arrived() {
    let mut stage = stage_with(Settings {
        unfinished_bytes: 1_500,
        ..Settings::default()
    });
    let asked: Vec<u64> = (0..30).map(|_| stage.world.ask(0, "tell")).collect();
    let (a, b, c) = (stage.a.clone(), stage.b.clone(), stage.c.clone());
    stage.deliver(&c, &a);
    stage.deliver(&a, &b);
    stage.deliver(&b, &a);
    // What the endpoint has is not known to the holder.
    stage.world.hold(&c, &a);
    let ran = stage.run_all();
    assert!(ran > 1 && ran < 20, "{ran}");
    stage.settle();
    assert_eq!(stage.world.clients[0].pending.len(), 30 - ran);
    stage.world.release();
    stage.settle();
    assert_eq!(stage.answers(), asked);
    stage.ends_well();
}

#[test]
fn a_handler_is_told_when_too_many_acks_are_awaited() {
    let mut stage = stage_with(Settings {
        awaited_bytes: 2 * size_of::<crate::Awaited>() + 10,
        ..Settings::default()
    });
    let asked: Vec<u64> = (0..3).map(|_| stage.world.ask(0, "ask")).collect();
    stage.settle_unanswered();
    stage.settle_unanswered();
    assert_eq!(stage.world.words(0), [format!("lost{}", asked[2])]);
    // The others are awaited, and may be answered.
    stage.settle();
    let mut words = stage.world.words(0);
    words.sort_unstable();
    let [first, second, third] = asked[..] else {
        panic!()
    };
    assert_eq!(
        words,
        [
            format!("acked{first}"),
            format!("acked{second}"),
            format!("lost{third}")
        ]
    );
    stage.ends_well();
}
