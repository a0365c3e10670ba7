//! The lanes that a socket has lived in, and how far its client had been served when it came to each.
//!
//! What a lane has seen does not tell what a socket has heard: in the lane before, the socket may have heard what this one
//! has yet to see. So each epoch has a floor, and what lies under the floor of the present one is not heard again.

use hither_cluster::{LogId, Marks, NodeId};
use serde::{Deserialize, Serialize};

/// Epochs that are remembered: offsets from earlier ones are no longer understood.
const REMEMBERED: usize = 8;

/// A socket's epochs, the present one last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Epochs(Vec<Epoch>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Epoch {
    log: LogId,
    floor: Marks,
}

impl Epochs {
    /// A socket that begins in this lane.
    pub(crate) fn first(log: LogId) -> Self {
        Self(vec![Epoch {
            log,
            floor: Marks::default(),
        }])
    }

    /// The socket lives in this lane from now on; before, the lane where it was had served it up to these marks.
    pub(crate) fn begin(&mut self, log: LogId, served: &Marks) {
        let floor = self.served(served);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Epoch { log, floor });
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

    /// Which epoch a log was; the last, if there were several.
    pub(crate) fn index(&self, log: LogId) -> Option<usize> {
        self.0.iter().rposition(|epoch| epoch.log == log)
    }

    /// The marks of a client that was told up to a place in a log, whose own marks there are these.
    pub(crate) fn at(&self, log: LogId, mut marks: Marks) -> Option<Marks> {
        marks.merge(&self.0[self.index(log)?].floor);
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

    #[test]
    fn what_was_heard_in_an_earlier_lane_is_not_heard_again_in_one_that_lags() {
        let mut epochs = Epochs::first(LogId(1));
        assert!(!epochs.knew(&node("a"), 1));
        epochs.begin(LogId(2), &marks(&[("a", 10)]));
        assert!(epochs.knew(&node("a"), 10));
        assert!(!epochs.knew(&node("a"), 11));
    }

    #[test]
    fn a_lane_that_never_heard_of_an_origin_does_not_make_the_socket_forget_it() {
        let mut epochs = Epochs::first(LogId(1));
        epochs.begin(LogId(2), &marks(&[("gone", 100), ("a", 1)]));
        epochs.begin(LogId(3), &marks(&[("a", 5)]));
        assert_eq!(
            epochs.served(&marks(&[("b", 2)])),
            marks(&[("gone", 100), ("a", 5), ("b", 2)])
        );
        assert!(epochs.knew(&node("gone"), 100));
    }

    #[test]
    fn a_place_in_an_earlier_log_does_not_count_what_was_served_later() {
        let mut epochs = Epochs::first(LogId(1));
        epochs.begin(LogId(2), &marks(&[("a", 10)]));
        assert_eq!(epochs.at(LogId(1), marks(&[("a", 3)])), Some(marks(&[("a", 3)])));
        assert_eq!(epochs.at(LogId(2), marks(&[("a", 3)])), Some(marks(&[("a", 10)])));
        assert_eq!(epochs.at(LogId(9), Marks::default()), None);
    }
}
