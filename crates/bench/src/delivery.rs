//! Checks that a receiver hears each stream of numbered messages once and in order.

use std::collections::{HashMap, HashSet};

/// Names a stream: what one publisher sends to one room, numbered from 0 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamId(pub u32);

/// What was wrong with deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Faults {
    /// Messages that did not arrive.
    pub(crate) lost: u64,
    /// Messages that arrived more than once, each further time counted.
    pub(crate) doubled: u64,
    /// Messages that arrived after a later one of their stream.
    pub(crate) out_of_order: u64,
}

impl Faults {
    /// Whether nothing was wrong.
    pub(crate) fn none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what was wrong elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
    }
}

#[derive(Debug, Default)]
struct Stream {
    /// The number after the highest that was heard.
    next: u64,
    /// Lower numbers that were not heard.
    missing: HashSet<u64>,
}

/// What one receiver heard.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    streams: HashMap<StreamId, Stream>,
    faults: Faults,
}

impl Checker {
    /// Message `number` of `stream` has arrived.
    pub(crate) fn heard(&mut self, stream: StreamId, number: u64) {
        let heard = self.streams.entry(stream).or_default();
        if number >= heard.next {
            heard.missing.extend(heard.next..number);
            heard.next = number + 1;
        } else if heard.missing.remove(&number) {
            self.faults.out_of_order += 1;
        } else {
            self.faults.doubled += 1;
        }
    }

    /// How many of the first `published` messages of `stream` have not arrived.
    pub(crate) fn outstanding(&self, stream: StreamId, published: u64) -> u64 {
        self.streams.get(&stream).map_or(published, |heard| {
            published.saturating_sub(heard.next) + heard.missing.len() as u64
        })
    }

    /// The faults, given how many messages each stream had that was to be heard here.
    pub(crate) fn faults(&self, published: impl IntoIterator<Item = (StreamId, u64)>) -> Faults {
        let lost = published
            .into_iter()
            .map(|(stream, published)| self.outstanding(stream, published))
            .sum();
        Faults { lost, ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: StreamId = StreamId(7);

    fn faults_of(heard: &[u64], published: u64) -> Faults {
        let mut checker = Checker::default();
        for number in heard {
            checker.heard(STREAM, *number);
        }
        checker.faults([(STREAM, published)])
    }

    #[test]
    fn what_comes_once_and_in_order_has_no_faults() {
        assert!(faults_of(&[0, 1, 2, 3], 4).none());
    }

    #[test]
    fn a_hole_and_a_missing_end_are_losses() {
        assert_eq!(
            faults_of(&[0, 2], 5),
            Faults {
                lost: 3,
                ..Faults::default()
            }
        );
        assert_eq!(
            faults_of(&[], 5),
            Faults {
                lost: 5,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn a_late_message_is_out_of_order_and_not_lost() {
        assert_eq!(
            faults_of(&[1, 0], 2),
            Faults {
                out_of_order: 1,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn a_repetition_is_doubled() {
        assert_eq!(
            faults_of(&[0, 1, 1, 0], 2),
            Faults {
                doubled: 2,
                ..Faults::default()
            }
        );
    }

    proptest! {
        #[test]
        fn every_message_is_lost_or_heard_first_once(heard in prop::collection::vec(0_u64..20, 0..60)) {
            let distinct = heard.iter().collect::<HashSet<_>>().len() as u64;
            let faults = faults_of(&heard, 20);
            prop_assert_eq!(faults.lost, 20 - distinct);
            prop_assert_eq!(faults.doubled, heard.len() as u64 - distinct);
        }
    }
}
