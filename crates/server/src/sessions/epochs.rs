//! The lanes that a socket has lived in, and how far its client had been served when it came to each.
//!
//! What a lane has seen does not tell what a socket has heard: in the lane before, the socket may have heard what this one
//! has yet to see. So each epoch has a floor, and what lies under the floor of the present one is not heard again.

use hither_cluster::{LogId, Marks, NodeId, Position};
use serde::{Deserialize, Serialize};

use super::history::Place;

/// Epochs that are remembered: offsets from earlier ones are no longer understood.
const REMEMBERED: usize = 8;

/// A socket's epochs, the present one last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Epochs(Vec<Epoch>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Epoch {
    /// Where it begins. A socket may come back to a lane in which it was before.
    begin: Place,
    floor: Marks,
}

impl Epochs {
    /// A socket that begins at this place.
    pub(crate) fn first(begin: Place) -> Self {
        let floor = Marks::default();
        Self(vec![Epoch { begin, floor }])
    }

    /// The socket is told what comes after this place from now on; before, the lanes where it was had served it up to the
    /// floor.
    pub(crate) fn begin(&mut self, begin: Place, floor: Marks) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Epoch { begin, floor });
    }

    /// Whether the socket has lived in the lane of a log before.
    pub(crate) fn includes(&self, log: LogId) -> bool {
        self.0.iter().any(|epoch| epoch.begin.position.log == log)
    }

    /// The place in the present lane's log that stands for this one: none in it is before the epoch.
    pub(crate) fn within(&self, position: Position) -> Position {
        match self.0.last() {
            Some(Epoch { begin, .. }) if begin.position.log == position.log => Position {
                entry: position.entry.max(begin.position.entry),
                ..position
            },
            _ => position,
        }
    }

    /// Whether a place in the present lane's log is of an earlier epoch: that in which the present one begins is, too. What is heard
    /// there bears no offset of its own.
    pub(crate) fn is_before(&self, position: Position) -> bool {
        self.0.last().is_some_and(|Epoch { begin, .. }| {
            begin.position.log == position.log && position.entry <= begin.position.entry
        })
    }

    /// How far the client is served when its lane has served it up to these marks.
    pub(crate) fn served(&self, by_lane: &Marks) -> Marks {
        let mut marks = by_lane.clone();
        if let Some(epoch) = self.0.last() {
            marks.merge(&epoch.floor);
        }
        marks
    }

    /// Whether a publication was heard in an earlier epoch.
    pub(crate) fn knew(&self, origin: &NodeId, number: u64) -> bool {
        self.0
            .last()
            .is_some_and(|epoch| number <= epoch.floor.of(origin))
    }

    /// In which epoch a client was told up to a place.
    pub(crate) fn index(&self, place: Place) -> Option<usize> {
        let Position { log, entry } = place.position;
        self.0.iter().rposition(|Epoch { begin, .. }| {
            // What was told directly is numbered, also when the log did not go on meanwhile.
            begin.position.log == log
                && (begin.position.entry < entry
                    || begin.position.entry == entry && begin.directs < place.directs)
        })
    }

    /// Whether a client was told this in the present epoch.
    pub(crate) fn is_present(&self, place: Place) -> bool {
        self.index(place).is_some_and(|index| index + 1 == self.0.len())
    }

    /// Where what a client was told at a place comes when it is told again: first that of earlier epochs, in whose logs entries are
    /// numbered each from the start, in the order in which it was told; then that of the present one, by its log.
    pub(crate) fn rank(&self, told: Place) -> (bool, u64) {
        if self.is_present(told) {
            (true, told.position.entry)
        } else {
            (false, told.directs)
        }
    }

    /// The marks of a client that was told up to a place, where the lane's own marks were these.
    pub(crate) fn at(&self, place: Place, mut marks: Marks) -> Option<Marks> {
        marks.merge(&self.0[self.index(place)?].floor);
        Some(marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_cluster::Incarnation;

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    fn marks(of: &[(&str, u64)]) -> Marks {
        let mut marks = Marks::default();
        of.iter()
            .for_each(|(origin, number)| marks.advance(&node(origin), *number));
        marks
    }

    fn place(log: u64, entry: u64, directs: u64) -> Place {
        let log = LogId(log);
        Place {
            position: Position { log, entry },
            directs,
        }
    }

    #[test]
    fn what_was_heard_in_an_earlier_lane_is_not_heard_again_in_one_that_lags() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        assert!(!epochs.knew(&node("a"), 1));
        epochs.begin(place(2, 0, 0), marks(&[("a", 10)]));
        assert!(epochs.knew(&node("a"), 10));
        assert!(!epochs.knew(&node("a"), 11));
    }

    #[test]
    fn what_is_served_includes_what_earlier_lanes_had_served() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(2, 0, 0), marks(&[("gone", 100), ("a", 1)]));
        assert_eq!(
            epochs.served(&marks(&[("a", 5), ("b", 2)])),
            marks(&[("gone", 100), ("a", 5), ("b", 2)])
        );
    }

    #[test]
    fn a_place_in_an_earlier_log_does_not_count_what_was_served_later() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(2, 7, 0), marks(&[("a", 10)]));
        let at = |place, served: &[(&str, u64)]| epochs.at(place, marks(served));
        assert_eq!(at(place(1, 9, 0), &[("a", 3)]), Some(marks(&[("a", 3)])));
        assert_eq!(at(place(2, 8, 0), &[("a", 3)]), Some(marks(&[("a", 10)])));
        assert_eq!(at(place(9, 1, 0), &[]), None);
    }

    #[test]
    fn a_lane_to_which_a_socket_returns_is_another_epoch() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(2, 0, 3), marks(&[("a", 10)]));
        epochs.begin(place(1, 50, 5), marks(&[("a", 20)]));
        assert_eq!(
            epochs.index(place(1, 50, 0)),
            Some(0),
            "entry 50 itself was told before"
        );
        assert_eq!(epochs.index(place(1, 50, 5)), Some(0));
        assert_eq!(epochs.index(place(1, 50, 6)), Some(2));
        assert_eq!(epochs.index(place(1, 51, 0)), Some(2));
        assert!(epochs.is_present(place(1, 51, 0)) && !epochs.is_present(place(2, 9, 4)));
    }

    #[test]
    fn what_is_before_an_epoch_is_not_taken_for_a_place_in_it() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(2, 7, 3), marks(&[("a", 10)]));
        epochs.begin(place(1, 50, 5), marks(&[("a", 20)]));
        for entry in [49, 50, 51] {
            let heard = place(1, entry, 0);
            assert_eq!(
                epochs.is_before(heard.position),
                !epochs.is_present(heard),
                "an event at entry {entry} that many heard"
            );
        }
        assert!(!epochs.is_before(place(2, 1, 0).position));
    }

    #[test]
    fn what_was_told_in_several_lanes_is_told_again_in_that_order() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(2, 7, 3), marks(&[]));
        epochs.begin(place(3, 2, 6), marks(&[]));
        let told = [place(1, 900, 2), place(2, 8, 5), place(3, 3, 7), place(3, 4, 8)];
        assert!(told.is_sorted_by_key(|told| epochs.rank(*told)));
    }

    #[test]
    fn no_place_of_an_epoch_is_before_it() {
        let mut epochs = Epochs::first(place(1, 0, 0));
        epochs.begin(place(1, 50, 5), marks(&[]));
        assert!(epochs.includes(LogId(1)) && !epochs.includes(LogId(2)));
        assert_eq!(epochs.within(place(1, 49, 0).position), place(1, 50, 0).position);
        assert_eq!(epochs.within(place(1, 51, 0).position), place(1, 51, 0).position);
    }
}
