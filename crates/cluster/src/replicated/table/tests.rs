use std::sync::Mutex;

use hither_replication::codec;
use tokio::sync::Semaphore;

use super::*;

/// A place in a shard's log.
fn at(number: u64) -> TopicPosition {
    let mut bytes = Vec::new();
    codec::encode_into(&((1_u32, 7_u64), number), &mut bytes).unwrap();
    codec::decode(&bytes, bytes.len()).unwrap()
}

fn topic() -> Topic {
    "topic".into()
}

const SHARD: ShardId = ShardId(3);

/// Keeps what it is told, and the room that this takes.
#[derive(Default)]
struct Ear(Mutex<(Vec<Told>, Vec<Hold>)>);

impl Listen for Ear {
    fn told(&self, told: Vec<Told>, hold: Hold) {
        let (news, holds) = &mut *self.0.lock().unwrap();
        news.extend(told);
        holds.push(hold);
    }
}

impl Ear {
    /// What it was told since it was asked last.
    fn news(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }

    fn handle_all(&self) {
        self.0.lock().unwrap().1.clear();
    }
}

/// A table, and what there is around it.
struct World {
    table: Table,
    room: Arc<Semaphore>,
    ears: Vec<Arc<Ear>>,
    /// How often a listener lagged, and how often one was told of a gap.
    lost: (usize, usize),
}

const ROOM: usize = 100;

impl World {
    fn new(listeners: u64) -> Self {
        let mut world = Self {
            table: Table::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            ears: Vec::new(),
            lost: (0, 0),
        };
        for id in 0..listeners {
            let ear = Arc::<Ear>::default();
            world.ears.push(ear.clone());
            let (id, bound) = (ListenerId(id), 3 * (OVERHEAD + 10));
            let asked = world.request(Request::Listen {
                id,
                bound,
                listen: ear,
            });
            assert_eq!(asked, [""; 0]);
        }
        world
    }

    fn permit(&self) -> OwnedSemaphorePermit {
        self.room.clone().try_acquire_owned().unwrap()
    }

    /// What the core is given for a request, in short.
    fn request(&mut self, request: Request) -> Vec<String> {
        let mut inputs = Vec::new();
        self.table.request(request, &mut inputs);
        self.table.tell();
        inputs.into_iter().map(short).collect()
    }

    fn subscribe(&mut self, id: u64, from: Option<u64>) -> Vec<String> {
        let permit = self.permit();
        self.request(Request::Subscribe {
            id: ListenerId(id),
            shard: SHARD,
            topic: topic(),
            from: from.map(at),
            _permit: permit,
        })
    }

    fn unsubscribe(&mut self, id: u64) -> Vec<String> {
        let id = ListenerId(id);
        self.request(Request::Unsubscribe { id, topic: topic() })
    }

    /// What the core is given for an output.
    fn output(&mut self, output: Output<Publications>) -> Vec<String> {
        let mut inputs = Vec::new();
        let Effect { lagged, gaps, .. } = self.table.output(output, &mut inputs);
        self.lost.0 += lagged;
        self.lost.1 += gaps;
        self.table.tell();
        inputs.into_iter().map(short).collect()
    }

    fn subscribed(&mut self, base: u64) {
        let (topic, base) = (topic(), at(base));
        assert_eq!(self.output(Output::Subscribed { topic, base }), [""; 0]);
    }

    fn deliver(&mut self, number: u64) -> Vec<String> {
        self.output(Output::Deliver {
            topic: topic(),
            at: at(number),
            payload: "x".into(),
        })
    }

    fn replayed(&mut self, replay: u64, numbers: &[u64], through: u64, is_last: bool) -> Vec<String> {
        let publications = numbers.iter().map(|number| (at(*number), "x".into()));
        self.output(Output::Replayed {
            replay: ReplayId(replay),
            publications: publications.collect(),
            through: at(through),
            is_last,
        })
    }
}

fn short(input: Input<Publications>) -> String {
    match input {
        Input::Subscribe {
            shard, from: None, ..
        } => format!("subscribe in {}", shard.0),
        Input::Unsubscribe { shard, .. } => format!("unsubscribe in {}", shard.0),
        Input::Replay {
            replay,
            from: Some(from),
            ..
        } => {
            format!("replay {} from {}", replay.0, from.number())
        }
        Input::Publish {
            producer, sequence, ..
        } => format!("publish {producer}.{sequence}"),
        _ => panic!("not for the core"),
    }
}

fn begins(base: u64) -> Told {
    Told::Subscribed {
        topic: topic(),
        base: at(base),
    }
}

fn hears(number: u64) -> Told {
    Told::Heard {
        topic: topic(),
        at: at(number),
        payload: "x".into(),
    }
}

fn gap(base: u64) -> Told {
    Told::Gap {
        topic: topic(),
        base: at(base),
    }
}

#[test]
fn a_node_subscribes_with_its_first_listener_and_no_more_with_its_last() {
    let mut world = World::new(2);
    assert_eq!(world.subscribe(0, None), ["subscribe in 3"]);
    assert_eq!(world.ears[0].news(), []);
    world.subscribed(5);
    assert_eq!(world.ears[0].news(), [begins(5)]);
    world.deliver(6);
    assert_eq!(world.subscribe(1, None), [""; 0]);
    assert_eq!(world.ears[1].news(), [begins(6)]);
    world.deliver(8);
    assert_eq!(world.ears[0].news(), [hears(6), hears(8)]);
    assert_eq!(world.ears[1].news(), [hears(8)]);
    assert_eq!(world.unsubscribe(0), [""; 0]);
    world.deliver(9);
    assert_eq!(world.ears[0].news(), []);
    assert_eq!(world.unsubscribe(1), ["unsubscribe in 3"]);
    world.deliver(10);
    assert_eq!(world.ears[1].news(), [hears(9)]);
    assert_eq!(world.room.available_permits(), ROOM);
}

#[test]
fn a_listener_that_has_ended_hears_nothing() {
    let mut world = World::new(1);
    world.subscribe(0, Some(2));
    assert_eq!(
        world.request(Request::End { id: ListenerId(0) }),
        ["unsubscribe in 3"]
    );
    world.subscribed(5);
    world.replayed(1, &[3], 5, true);
    world.deliver(6);
    assert_eq!(world.ears[0].news(), []);
}

#[test]
fn who_comes_from_a_position_hears_what_it_missed_and_then_the_rest_once() {
    let mut world = World::new(2);
    world.subscribe(0, None);
    world.subscribed(5);
    world.deliver(6);
    assert_eq!(world.subscribe(1, Some(2)), ["replay 1 from 2"]);
    world.replayed(1, &[3], 4, false);
    assert_eq!(world.ears[1].news(), [hears(3)]);
    // It is in the answer too.
    world.deliver(7);
    assert_eq!(world.ears[1].news(), []);
    world.ears[0].handle_all();
    world.ears[1].handle_all();
    world.replayed(1, &[6, 7, 8], 9, true);
    assert_eq!(world.ears[1].news(), [hears(6), hears(7), hears(8), begins(9)]);
    world.ears[1].handle_all();
    world.deliver(8);
    world.deliver(10);
    assert_eq!(world.ears[1].news(), [hears(10)]);
    let all = [begins(5), hears(6), hears(7), hears(8), hears(10)];
    assert_eq!(world.ears[0].news(), all);
}

#[test]
fn a_later_subscription_replaces_an_earlier_one() {
    let mut world = World::new(1);
    world.subscribe(0, Some(2));
    world.subscribed(5);
    assert_eq!(world.subscribe(0, Some(4)), ["replay 2 from 4"]);
    world.replayed(1, &[3, 5], 5, true);
    assert_eq!(world.ears[0].news(), []);
    world.replayed(2, &[5], 5, true);
    assert_eq!(world.ears[0].news(), [hears(5), begins(5)]);
}

#[test]
fn what_is_not_kept_any_more_is_a_gap() {
    let mut world = World::new(2);
    world.subscribe(0, Some(2));
    world.subscribed(5);
    world.output(Output::NotReplayable(ReplayId(1)));
    assert_eq!(world.ears[0].news(), [gap(5)]);
    world.subscribe(1, Some(2));
    world.replayed(2, &[], 9, true);
    assert_eq!(world.ears[1].news(), [begins(9)]);
    // Another history, in which there are fewer.
    let (topic, base) = (topic(), at(7));
    world.output(Output::Gap { topic, base });
    world.deliver(8);
    assert_eq!(world.ears[0].news(), [gap(7), hears(8)]);
    assert_eq!(world.ears[1].news(), [gap(7), hears(8)]);
    assert_eq!(world.lost, (0, 3));
}

#[test]
fn a_listener_that_does_not_keep_up_leaves_and_may_come_back() {
    let mut world = World::new(2);
    for id in [0, 1] {
        world.subscribe(id, None);
    }
    world.subscribed(5);
    for number in 6..20 {
        assert_eq!(world.deliver(number), [""; 0]);
        world.ears[1].handle_all();
    }
    let heard = at(7);
    let lagged = Told::Lagged {
        topic: topic(),
        heard,
    };
    assert_eq!(world.ears[0].news(), [begins(5), hears(6), hears(7), lagged]);
    assert_eq!(world.ears[1].news().len(), 15);
    world.ears[0].handle_all();
    assert_eq!(world.subscribe(0, Some(7)), ["replay 1 from 7"]);
    world.replayed(1, &[8, 9], 19, true);
    assert_eq!(world.ears[0].news(), [hears(8), hears(9), begins(19)]);
    assert_eq!(world.lost, (1, 0));
}

#[test]
fn a_replay_that_is_too_much_ends_too() {
    let mut world = World::new(1);
    world.subscribe(0, Some(1));
    world.subscribed(9);
    assert_eq!(world.replayed(1, &[2, 3, 4, 5], 5, false), ["unsubscribe in 3"]);
    let heard = at(4);
    let lagged = Told::Lagged {
        topic: topic(),
        heard,
    };
    assert_eq!(world.ears[0].news(), [hears(2), hears(3), hears(4), lagged]);
    world.replayed(1, &[6], 6, true);
    assert_eq!(world.ears[0].news(), []);
    assert_eq!(world.lost, (1, 0));
}

#[test]
fn who_published_is_told_when_it_is_confirmed_and_there_is_room_again() {
    let mut world = World::new(2);
    for sequence in 1..=3 {
        let permit = world.permit();
        let asked = world.request(Request::Publish {
            id: ListenerId(sequence % 2),
            shard: SHARD,
            topic: topic(),
            producer: "p".into(),
            sequence,
            payload: "x".into(),
            permit,
        });
        assert_eq!(asked, [format!("publish p.{sequence}")]);
    }
    let confirmed = |shard, sequence| Output::Confirmed {
        shard: hither_replication::ShardId(shard),
        producer: "p".into(),
        sequence,
        at: at(9),
    };
    world.output(confirmed(SHARD.0 + 1, 3));
    assert_eq!(world.room.available_permits(), ROOM - 3);
    world.output(confirmed(SHARD.0, 2));
    assert_eq!(world.room.available_permits(), ROOM - 1);
    let told = |sequence| Told::Confirmed {
        topic: topic(),
        producer: "p".into(),
        sequence,
    };
    assert_eq!(world.ears[0].news(), [told(2)]);
    assert_eq!(world.ears[1].news(), [told(1)]);
    world.output(confirmed(SHARD.0, 3));
    assert_eq!(world.ears[1].news(), [told(3)]);
    assert_eq!(world.room.available_permits(), ROOM);
}
