//! Whether nodes have heard what they should.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::Seen;

/// What one node has said and heard.
pub(crate) struct History {
    name: String,
    /// By topic, in the order in which it was heard.
    heard: BTreeMap<String, Vec<String>>,
    said: BTreeSet<String>,
    pub(crate) confirmed: BTreeSet<String>,
    trouble: Vec<String>,
}

impl History {
    pub(crate) fn of(name: &str, seen: &Seen) -> Self {
        let mut history = Self {
            name: name.to_owned(),
            heard: BTreeMap::new(),
            said: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            trouble: Vec::new(),
        };
        for line in &seen.said {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["hear", topic, what, _] => {
                    let heard = history.heard.entry(topic.to_owned()).or_default();
                    heard.push(what.to_owned());
                }
                ["say", _, what] => drop(history.said.insert(what.to_owned())),
                ["confirm", what] => drop(history.confirmed.insert(what.to_owned())),
                ["gap" | "lag", _] => history.trouble.push(line.clone()),
                _ => {}
            }
        }
        history
    }

    fn topic(&self, topic: &str) -> &[String] {
        self.heard.get(topic).map_or(&[], Vec::as_slice)
    }
}

/// Those who `stayed` have heard all that was said, once and in one order; what others have heard is a part of that without
/// a hole; and what was confirmed to anybody is in it.
pub(crate) fn judge(stayed: &[History], others: &[History]) {
    let [reference, rest @ ..] = stayed else {
        panic!("nobody stayed");
    };
    let all = || stayed.iter().chain(others);
    for history in all() {
        assert_eq!(history.trouble, [""; 0], "{} was told of trouble", history.name);
    }
    let mut heard = BTreeSet::new();
    for (topic, order) in &reference.heard {
        for what in order {
            assert!(heard.insert(what.clone()), "{what} was heard twice");
        }
        in_the_order_of_their_producers(topic, order);
        for node in rest {
            assert_eq!(node.topic(topic), order, "{} heard {topic} otherwise", node.name);
        }
        for node in others {
            is_part_of(&node.name, topic, node.topic(topic), order);
        }
    }
    for history in all() {
        let unheard: Vec<_> = history.confirmed.difference(&heard).collect();
        assert!(
            unheard.is_empty(),
            "confirmed to {} and not heard: {unheard:?}",
            history.name
        );
    }
    for history in stayed {
        let unheard: Vec<_> = history.said.difference(&heard).collect();
        assert!(
            unheard.is_empty(),
            "said by {} and not heard: {unheard:?}",
            history.name
        );
    }
    println!("{} publications in {} topics", heard.len(), reference.heard.len());
}

fn is_part_of(name: &str, topic: &str, part: &[String], order: &[String]) {
    let Some(first) = part.first() else { return };
    let begin = order.iter().position(|what| what == first);
    let begin = begin.unwrap_or_else(|| panic!("only {name} heard {first} in {topic}"));
    let end = begin + part.len();
    assert_eq!(
        order.get(begin..end),
        Some(part),
        "{name} heard {topic} otherwise"
    );
}

fn in_the_order_of_their_producers(topic: &str, order: &[String]) {
    let mut last = BTreeMap::new();
    for what in order {
        let (producer, sequence) = what.split_once('.').expect("producer and sequence");
        let sequence: u64 = sequence.parse().expect("a number");
        let before = last.insert(producer, sequence);
        assert!(
            before < Some(sequence),
            "{what} comes after {before:?} in {topic}"
        );
    }
}

/// What a node of that name heard in a topic, and what was confirmed to it.
fn made_up(name: &str, heard: &[&str], confirmed: &[&str]) -> History {
    let heard = heard.iter().map(|what| format!("hear t {what} 1"));
    let confirmed = confirmed.iter().map(|what| format!("confirm {what}"));
    let seen = Seen {
        said: heard.chain(confirmed).collect(),
        ..Seen::default()
    };
    History::of(name, &seen)
}

#[test]
fn a_part_without_a_hole_is_right() {
    let stayed = ["a", "b"].map(|name| made_up(name, &["x.1", "y.1", "x.2", "y.2"], &["x.2"]));
    let others = [made_up("c", &["y.1", "x.2"], &["y.1"]), made_up("d", &[], &[])];
    judge(&stayed, &others);
}

#[test]
#[should_panic(expected = "c heard t otherwise")]
fn a_hole_is_found() {
    let stayed = [made_up("a", &["x.1", "y.1", "x.2"], &[])];
    judge(&stayed, &[made_up("c", &["x.1", "x.2"], &[])]);
}

#[test]
#[should_panic(expected = "b heard t otherwise")]
fn another_order_is_found() {
    judge(
        &[
            made_up("a", &["x.1", "y.1"], &[]),
            made_up("b", &["y.1", "x.1"], &[]),
        ],
        &[],
    );
}

#[test]
#[should_panic(expected = "x.1 was heard twice")]
fn a_double_is_found() {
    judge(&[made_up("a", &["x.1", "x.1"], &[])], &[]);
}

#[test]
#[should_panic(expected = "confirmed to c and not heard")]
fn a_loss_is_found() {
    judge(
        &[made_up("a", &["x.1"], &[])],
        &[made_up("c", &["x.1"], &["x.2"])],
    );
}
