use proptest::prelude::*;

use super::*;
use crate::ids::{NodeId, Term};

type Room = u32;
type Ear = Listener<Room, u64>;

fn term(count: u32) -> Term {
    (0..count).fold(Term::NONE, |term, _| term.next(&NodeId::new("n", 1)))
}

fn at(number: u64) -> Position {
    in_term(1, number)
}

fn in_term(count: u32, number: u64) -> Position {
    let term = term(count);
    Position { term, number }
}

fn heard(number: u64) -> Heard<Room, u64> {
    Heard {
        at: at(number),
        earlier: Vec::new(),
        payload: number,
    }
}

fn copy_of(number: u64, earlier: &[(Room, u64)]) -> Heard<Room, u64> {
    Heard {
        at: at(number),
        earlier: earlier
            .iter()
            .map(|(room, number)| (*room, at(*number)))
            .collect(),
        payload: number,
    }
}

/// Joins rooms, and has that committed.
fn listener(rooms: impl IntoIterator<Item = (Room, u64)>) -> Ear {
    let mut listener = Listener::new(7);
    for (room, base) in rooms {
        listener.join(room, at(base));
    }
    commit(&mut listener);
    listener
}

fn commit(listener: &mut Ear) -> Vec<u64> {
    let version = listener.memberships().version();
    payloads(listener.committed(version))
}

fn payloads(told: Vec<Told<u64>>) -> Vec<u64> {
    told.into_iter().map(|told| told.payload).collect()
}

fn attach(memberships: &Memberships<Room>, offset: Option<&str>) -> (Ear, Vec<Missing<Room>>) {
    Listener::attach(memberships.clone(), offset).expect("a listener that is known")
}

#[test]
fn it_is_told_what_comes_behind_its_base_in_order_and_once() {
    let mut listener = listener([(1, 10)]);
    let told: Vec<u64> = [9, 10, 11, 13, 13, 12]
        .into_iter()
        .flat_map(|number| payloads(listener.hear(&1, heard(number))))
        .collect();
    assert_eq!(told, [11, 13]);
    assert!(listener.hear(&2, heard(14)).is_empty(), "it is not in that one");
}

#[test]
fn it_goes_on_where_the_offset_says() {
    let mut listener = listener([(1, 10), (2, 20)]);
    listener.hear(&1, heard(11));
    let offset = listener.hear(&2, heard(25)).remove(0).offset;
    let (mut listener, missing) = attach(listener.memberships(), Some(&offset));
    let from: Vec<(Room, u64)> = missing.iter().map(|it| (it.topic, it.from.number())).collect();
    assert_eq!(from, [(1, 11), (2, 25)]);
    assert!(
        listener.hear(&1, heard(14)).is_empty(),
        "the replay has what is delivered before it"
    );
    let slot = missing[0].slot;
    assert_eq!(
        payloads(listener.replayed(slot, vec![heard(11), heard(13)], false)),
        [13]
    );
    assert_eq!(payloads(listener.replayed(slot, vec![heard(14)], true)), [14]);
    assert_eq!(payloads(listener.hear(&1, heard(15))), [15]);
}

#[test]
fn a_change_is_named_when_it_is_committed() {
    let mut listener = listener([(1, 10)]);
    listener.join(2, at(20));
    assert!(listener.hear(&2, heard(21)).is_empty());
    let told = listener.hear(&1, heard(11));
    let mut replica = Memberships::new(7);
    replica.apply(&Change::Joined {
        topic: 1,
        base: at(10),
    });
    let (_, missing) = attach(&replica, Some(&told[0].offset));
    assert_eq!(
        missing[0].from,
        at(11),
        "a replica without the change can read it"
    );
    assert_eq!(commit(&mut listener), [21]);
}

#[test]
fn the_rest_of_a_topic_that_was_left_is_told_before_it_is_forgotten() {
    let mut listener = listener([(1, 10), (2, 20)]);
    let offset = listener.hear(&1, heard(11)).remove(0).offset;
    listener.hear(&1, heard(12));
    listener.leave(&1);
    commit(&mut listener);
    // What was told behind the offset has not arrived.
    let (mut listener, missing) = attach(listener.memberships(), Some(&offset));
    let left = missing
        .iter()
        .find(|it| !it.is_current)
        .expect("the topic that was left");
    assert_eq!((left.topic, left.from), (1, at(11)));
    // Meanwhile something else is told, and the connection is lost again.
    let other = missing
        .iter()
        .find(|it| it.is_current)
        .expect("the other topic")
        .slot;
    let offset = listener.replayed(other, vec![heard(21)], true).remove(0).offset;
    let (mut listener, missing) = attach(listener.memberships(), Some(&offset));
    let left = missing
        .iter()
        .find(|it| !it.is_current)
        .expect("it is not told yet");
    let slot = left.slot;
    let told = listener.replayed(slot, vec![heard(12), heard(13)], true);
    assert_eq!(
        payloads(told),
        [12],
        "and nothing behind the place where it was left"
    );
    let (_, missing) = attach(listener.memberships(), Some(&listener.offset()));
    assert!(missing.iter().all(|it| it.is_current));
}

#[test]
fn of_several_copies_the_first_is_told_in_whose_topic_it_was() {
    let mut listener = listener([(1, 0), (2, 0)]);
    assert!(
        listener.hear(&2, copy_of(9, &[(1, 5)])).is_empty(),
        "it comes through the other topic"
    );
    assert_eq!(payloads(listener.hear(&1, heard(5))), [5]);
    assert_eq!(payloads(listener.hear(&2, heard(10))), [10]);
    let behind = copy_of(11, &[(3, 5)]);
    assert_eq!(
        payloads(listener.hear(&2, behind)),
        [11],
        "it was never in that topic"
    );
}

#[test]
fn who_leaves_before_the_first_copy_is_told_the_other_when_that_is_committed() {
    let mut listener = listener([(1, 0), (2, 0)]);
    listener.hear(&1, heard(3));
    listener.hear(&2, copy_of(9, &[(1, 5)]));
    listener.leave(&1);
    assert!(
        listener.hear(&2, heard(10)).is_empty(),
        "the leave may be taken back"
    );
    assert_eq!(commit(&mut listener), [9, 10]);
}

#[test]
fn another_listeners_offset_says_nothing() {
    let mut other: Ear = Listener::new(8);
    other.join(1, at(10));
    commit(&mut other);
    let offset = other.hear(&1, heard(12)).remove(0).offset;
    let listener = listener([(1, 10)]);
    for odd in [Some(offset.as_str()), Some(""), Some("!"), Some("AAAA"), None] {
        let (_, missing) = attach(listener.memberships(), odd);
        assert_eq!(missing[0].from, at(10), "{odd:?}");
    }
}

#[test]
fn what_is_forgotten_cannot_be_resumed() {
    let mut listener = listener([(1, 10)]);
    let old = listener.hear(&1, heard(11)).remove(0).offset;
    listener.join(2, at(20));
    listener.leave(&1);
    let now = listener.memberships().version();
    listener.forget(now);
    commit(&mut listener);
    let memberships = listener.memberships().clone();
    let resumed = Listener::<Room, u64>::attach(memberships.clone(), Some(&old));
    assert_eq!(resumed.map(|_| ()), Err(CannotResume));
    let resumed = Listener::<Room, u64>::attach(memberships.clone(), None);
    assert_eq!(resumed.map(|_| ()), Err(CannotResume));
    let (_, missing) = attach(&memberships, Some(&listener.offset()));
    assert_eq!(missing.len(), 1);
}

#[test]
fn an_offset_stays_short_in_very_many_topics() {
    let mut listener = listener((0..1_000).map(|room| (room, 0)));
    let mut told = Vec::new();
    for room in 0..1_000 {
        told.extend(listener.hear(&room, heard(1 << 40)));
        if listener.named() >= Ear::MANY_NAMED && listener.advance().is_some() {
            let version = listener.memberships().version();
            told.extend(listener.committed(version));
        }
    }
    assert_eq!(told.len(), 1_000);
    let longest = told.iter().map(|told| told.offset.len()).max();
    assert!(longest.is_some_and(|longest| longest < 400), "{longest:?}");
}

#[test]
fn who_does_not_advance_waits() {
    let mut listener = listener((0..100).map(|room| (room, 0)));
    let told: usize = (0..100).map(|room| listener.hear(&room, heard(1)).len()).sum();
    assert_eq!(told, MOST_NAMED);
    assert_eq!(listener.waiting().count(), 100 - MOST_NAMED);
    assert!(listener.advance().is_some());
    assert_eq!(commit(&mut listener).len(), MOST_NAMED);
}

proptest! {
    #[test]
    fn an_offset_is_read_as_it_was_written(
        rooms in prop::collection::vec((any::<u32>(), 0..1u64 << 60, 0..1u64 << 60, 1..4u32), 0..30)
    ) {
        let mut listener = Ear::new(9);
        for (index, (_, base, ..)) in rooms.iter().enumerate() {
            listener.join(index as u32, at(*base));
        }
        commit(&mut listener);
        for (index, (_, base, moved, count)) in rooms.iter().enumerate() {
            let it = Heard { at: in_term(*count, base + moved), earlier: Vec::new(), payload: 0 };
            listener.hear(&(index as u32), it);
        }
        let offset = listener.offset();
        let read = Offset::decode(&offset, listener.memberships());
        let heard = rooms.iter().zip(0..).filter(|((_, _, moved, _), _)| *moved > 0);
        let heard = heard.map(|((_, base, moved, count), slot)| (Slot(slot), in_term(*count, base + moved)));
        let version = listener.memberships().version();
        prop_assert_eq!(read, Ok(Offset { version, heard: heard.collect() }));
    }

    #[test]
    fn no_text_does_harm(text in ".{0,200}", tail in prop::collection::vec(any::<u8>(), 0..40)) {
        let listener = listener([(1, 10), (2, 20)]);
        let mut bytes = 7u32.to_be_bytes().to_vec();
        bytes.extend(tail);
        let own = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        for text in [text, own] {
            if let Ok((_, missing)) = Listener::<Room, u64>::attach(listener.memberships().clone(), Some(&text)) {
                prop_assert!(missing.iter().all(|it| it.from.number() >= 10));
            }
        }
    }
}
