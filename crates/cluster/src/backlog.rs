//! What was published of late, kept in the form in which it travels, for nodes that did not get all of it: because the
//! link to them was cut, or because the origin died before it had told everybody.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{member::NodeId, topic::Topic};

/// A publication as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) number: u64,
    pub(crate) topic: Topic,
    pub(crate) cause: u64,
    pub(crate) payload: Bytes,
}

/// The latest publications of one origin.
#[derive(Debug)]
pub(crate) struct Backlog {
    max_bytes: usize,
    max_age: Duration,
    parcels: VecDeque<Kept>,
    bytes: usize,
    /// The number of the last that is no longer kept.
    forgotten: u64,
}

#[derive(Debug)]
struct Kept {
    arrived: Instant,
    parcel: Parcel,
    /// The standby of the entity that published it, if that is known.
    standby: Option<NodeId>,
}

/// What a parcel costs apart from its payload.
const OVERHEAD: usize = size_of::<Kept>();

impl Backlog {
    pub(crate) fn new(max_bytes: usize, max_age: Duration) -> Self {
        Self {
            max_bytes,
            max_age,
            parcels: VecDeque::new(),
            bytes: 0,
            forgotten: 0,
        }
    }

    /// Keeps the next publication, by an entity with that standby.
    pub(crate) fn push(&mut self, parcel: Parcel, standby: Option<NodeId>, now: Instant) {
        self.bytes += parcel.payload.len() + OVERHEAD;
        self.parcels.push_back(Kept {
            arrived: now,
            parcel,
            standby,
        });
        while let Some(oldest) = self.parcels.front() {
            if self.bytes <= self.max_bytes && now.duration_since(oldest.arrived) < self.max_age {
                break;
            }
            self.bytes -= oldest.parcel.payload.len() + OVERHEAD;
            self.forgotten = oldest.parcel.number;
            self.parcels.pop_front();
        }
    }

    /// Whether nothing after this number is missing.
    pub(crate) fn reaches_back_to(&self, number: u64) -> bool {
        number >= self.forgotten
    }

    /// What is kept of the publications after this number.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = &Parcel> {
        self.after_with_standbys(number).map(|(parcel, _)| parcel)
    }

    /// The same, each with the standby of the entity that published it.
    pub(crate) fn after_with_standbys(
        &self,
        number: u64,
    ) -> impl Iterator<Item = (&Parcel, Option<&NodeId>)> {
        let first = self.parcels.partition_point(|kept| kept.parcel.number <= number);
        let kept = self.parcels.range(first..);
        kept.map(|kept| (&kept.parcel, kept.standby.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: u64, bytes: usize) -> Parcel {
        Parcel {
            number,
            topic: "x".into(),
            cause: 0,
            payload: vec![0; bytes].into(),
        }
    }

    fn numbers(backlog: &Backlog, after: u64) -> Vec<u64> {
        backlog.after(after).map(|parcel| parcel.number).collect()
    }

    #[test]
    fn gives_what_came_after_and_knows_what_it_has_forgotten() {
        let mut backlog = Backlog::new(3 * (100 + OVERHEAD), Duration::from_secs(10));
        let now = Instant::now();
        [2, 5, 6, 9]
            .iter()
            .for_each(|number| backlog.push(parcel(*number, 100), None, now));
        assert_eq!(numbers(&backlog, 5), [6, 9]);
        assert_eq!(numbers(&backlog, 0), [5, 6, 9]);
        assert!(backlog.reaches_back_to(2) && !backlog.reaches_back_to(1));
        backlog.push(parcel(10, 100), None, now + Duration::from_secs(10));
        assert_eq!(numbers(&backlog, 0), [10]);
        assert!(backlog.reaches_back_to(9) && !backlog.reaches_back_to(8));
    }
}
