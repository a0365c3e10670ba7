//! What a lane was lately told of its topics, so that it can serve those who missed some of it.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    entity::Weigh,
    member::NodeId,
    topic::{Publication, Topic},
    trace::TracePart,
};

/// How far somebody has been served, per origin: the number of the last publication seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks(BTreeMap<NodeId, u64>);

impl Marks {
    /// The number of the last publication seen from `origin`; 0 before the first.
    pub fn of(&self, origin: &NodeId) -> u64 {
        self.0.get(origin).copied().unwrap_or(0)
    }

    /// Notes that a publication was seen. Numbers only grow.
    pub fn advance(&mut self, origin: &NodeId, number: u64) {
        match self.0.get_mut(origin) {
            Some(mark) => *mark = number.max(*mark),
            None => drop(self.0.insert(origin.clone(), number)),
        }
    }

    /// Notes all that another has seen, too.
    pub fn merge(&mut self, other: &Marks) {
        other
            .0
            .iter()
            .for_each(|(origin, number)| self.advance(origin, *number));
    }
}

/// The log of one life of one lane: drawn at random when the lane starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogId(pub u64);

/// How far somebody has been served from one log. Short, however many origins there are; whoever has the log, or its
/// trace, can tell the marks that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which log.
    pub log: LogId,
    /// The number of the last entry seen; 0 before the first.
    pub entry: u64,
}

/// Bounds of a lane's log.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// Bytes of publications kept per lane.
    pub bytes: usize,
    /// How long a publication is kept.
    pub age: Duration,
}

impl Default for LogLimits {
    /// 8 MiB and two minutes: the reference server's recovery window, in far less than a session's share of memory.
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            age: Duration::from_secs(120),
        }
    }
}

/// The publications that came to one lane, in the order in which it served them, within [`LogLimits`].
#[derive(Debug)]
pub(crate) struct Log<P> {
    id: LogId,
    limits: LogLimits,
    entries: VecDeque<(Instant, Arc<Publication<P>>)>,
    bytes: usize,
    /// How many entries there were ever.
    count: u64,
    seen: Marks,
    /// Per origin, the last publication that is no longer here.
    forgotten: Marks,
    /// The causes of the entries.
    causes: HashSet<u64>,
}

/// What came of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is the log's last entry.
    New,
    /// It has come before.
    Repeated,
    /// What caused it has caused another before: its origin handled again what an owner that is gone had handled.
    SameCause,
}

/// A publication and its place in a log.
#[derive(Clone, Debug)]
pub struct Entry<P> {
    /// Where whoever has been served this one is.
    pub position: Position,
    /// The publication.
    pub publication: Arc<Publication<P>>,
}

/// Some of what was asked for is no longer in the log.
#[derive(Debug, thiserror::Error)]
#[error(
    "publications of {origin} after number {after} are needed, but those up to {forgotten} are no longer kept"
)]
pub(crate) struct Gap {
    origin: NodeId,
    after: u64,
    forgotten: u64,
}

impl<P: Weigh> Log<P> {
    pub(crate) fn new(limits: LogLimits) -> Self {
        Self {
            id: LogId(rand::random()),
            limits,
            entries: VecDeque::new(),
            bytes: 0,
            count: 0,
            seen: Marks::default(),
            forgotten: Marks::default(),
            causes: HashSet::new(),
        }
    }

    /// Takes the next publication, unless it was seen before.
    pub(crate) fn push(&mut self, publication: &Arc<Publication<P>>, now: Instant) -> Pushed {
        if publication.number <= self.seen.of(&publication.origin) {
            return Pushed::Repeated;
        }
        if publication.cause != 0 && !self.causes.insert(publication.cause) {
            return Pushed::SameCause;
        }
        self.seen.advance(&publication.origin, publication.number);
        self.bytes += publication.payload.weight();
        self.count += 1;
        self.entries.push_back((now, publication.clone()));
        self.trim(now);
        Pushed::New
    }

    /// Drops what is too old or too much.
    pub(crate) fn trim(&mut self, now: Instant) {
        while let Some((arrived, publication)) = self.entries.front() {
            if self.bytes <= self.limits.bytes && now.duration_since(*arrived) < self.limits.age {
                break;
            }
            self.bytes -= publication.payload.weight();
            self.forgotten.advance(&publication.origin, publication.number);
            self.causes.remove(&publication.cause);
            self.entries.pop_front();
        }
    }

    /// How far this lane has been served.
    pub(crate) fn seen(&self) -> &Marks {
        &self.seen
    }

    /// Where the log ends at present.
    pub(crate) fn end(&self) -> Position {
        Position {
            log: self.id,
            entry: self.count,
        }
    }

    /// The order of the entries after that which a follower was told of last; all that are kept, if of none.
    pub(crate) fn trace_after(&self, told: Option<u64>) -> TracePart {
        let forgotten = self.count - self.entries.len() as u64;
        let known = told.filter(|told| *told >= forgotten);
        let before = known.unwrap_or(forgotten);
        let base = if known.is_none() {
            Some(self.forgotten.clone())
        } else {
            None
        };
        let mut part = TracePart::new(self.id, before, base);
        // At most as many as are in memory.
        for (_, publication) in self.entries.range((before - forgotten) as usize..) {
            part.push(&publication.origin, publication.number);
        }
        part
    }

    /// The marks of whoever has been served up to an entry of this log; none if that is no longer, or not yet, here.
    pub(crate) fn marks_at(&self, entry: u64) -> Option<Marks> {
        let forgotten = self.count - self.entries.len() as u64;
        let seen = usize::try_from(entry.checked_sub(forgotten)?).ok()?;
        let mut marks = self.forgotten.clone();
        if seen > self.entries.len() {
            return None;
        }
        for (_, publication) in self.entries.range(..seen) {
            marks.advance(&publication.origin, publication.number);
        }
        Some(marks)
    }

    /// What was published to `topics` after `marks`, in the order in which this lane saw it.
    pub(crate) fn after(&self, marks: &Marks, topics: &[Topic]) -> Result<Vec<Entry<P>>, Gap> {
        for (origin, &forgotten) in &self.forgotten.0 {
            let after = marks.of(origin);
            if after < forgotten {
                return Err(Gap {
                    origin: origin.clone(),
                    after,
                    forgotten,
                });
            }
        }
        let forgotten = self.count - self.entries.len() as u64;
        let entries = (forgotten + 1..)
            .zip(&self.entries)
            .map(|(entry, (_, publication))| Entry {
                position: Position { log: self.id, entry },
                publication: publication.clone(),
            });
        let missed = |entry: &Entry<P>| {
            entry.publication.number > marks.of(&entry.publication.origin)
                && topics.contains(&entry.publication.topic)
        };
        Ok(entries.filter(missed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Incarnation;

    impl Weigh for u32 {
        fn weight(&self) -> usize {
            *self as usize
        }
    }

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    fn publication(origin: &str, number: u64, topic: &str, weight: u32) -> Arc<Publication<u32>> {
        Arc::new(Publication {
            origin: node(origin),
            number,
            topic: topic.into(),
            cause: 0,
            payload: weight,
        })
    }

    fn marks(of: &[(&str, u64)]) -> Marks {
        let mut marks = Marks::default();
        of.iter()
            .for_each(|(origin, number)| marks.advance(&node(origin), *number));
        marks
    }

    fn numbers(entries: &[Entry<u32>]) -> Vec<(&str, u64)> {
        entries
            .iter()
            .map(|one| (one.publication.origin.name.as_str(), one.publication.number))
            .collect()
    }

    fn log(bytes: usize, age: u64) -> Log<u32> {
        Log::new(LogLimits {
            bytes,
            age: Duration::from_secs(age),
        })
    }

    #[test]
    fn serves_what_lies_after_the_marks_on_the_topics() {
        let mut log = log(1000, 10);
        let now = Instant::now();
        for one in [
            publication("a", 1, "x", 1),
            publication("b", 1, "x", 1),
            publication("a", 3, "y", 1),
            publication("a", 4, "x", 1),
        ] {
            assert_eq!(log.push(&one, now), Pushed::New);
        }
        let missed = log.after(&marks(&[("a", 1)]), &["x".into()]).unwrap();
        assert_eq!(numbers(&missed), [("b", 1), ("a", 4)]);
        assert_eq!(log.seen(), &marks(&[("a", 4), ("b", 1)]));
    }

    #[test]
    fn a_position_stands_for_marks_while_it_is_kept() {
        let mut log = log(10, 10);
        let now = Instant::now();
        assert_eq!(log.marks_at(0), Some(marks(&[])));
        for one in [
            publication("a", 4, "x", 5),
            publication("b", 1, "x", 5),
            publication("a", 7, "x", 5),
        ] {
            log.push(&one, now);
        }
        assert_eq!(log.end().entry, 3);
        assert_eq!(log.marks_at(3), Some(marks(&[("a", 7), ("b", 1)])));
        assert_eq!(log.marks_at(2), Some(marks(&[("a", 4), ("b", 1)])));
        assert_eq!(
            log.marks_at(1),
            Some(marks(&[("a", 4)])),
            "the entry itself is gone, what follows is not"
        );
        assert_eq!(log.marks_at(0), None);
        assert_eq!(log.marks_at(4), None);
    }

    #[test]
    fn of_two_publications_with_one_cause_the_first_counts() {
        let caused = |origin: &str, number: u64, weight: u32| {
            let payload = weight;
            Arc::new(Publication {
                origin: node(origin),
                number,
                topic: "x".into(),
                cause: 9,
                payload,
            })
        };
        let mut log = log(10, 10);
        let now = Instant::now();
        assert_eq!(log.push(&caused("a", 1, 5), now), Pushed::New);
        assert_eq!(log.push(&caused("b", 1, 5), now), Pushed::SameCause);
        assert_eq!(log.end().entry, 1);
        log.trim(now + Duration::from_secs(10));
        assert_eq!(
            log.push(&caused("b", 2, 5), now),
            Pushed::New,
            "a log remembers causes as long as entries"
        );
    }

    #[test]
    fn takes_nothing_twice() {
        let mut log = log(1000, 10);
        assert_eq!(
            log.push(&publication("a", 2, "x", 1), Instant::now()),
            Pushed::New
        );
        assert_eq!(
            log.push(&publication("a", 2, "x", 1), Instant::now()),
            Pushed::Repeated
        );
        assert_eq!(
            log.push(&publication("a", 1, "x", 1), Instant::now()),
            Pushed::Repeated
        );
    }

    #[test]
    fn says_what_it_no_longer_has() {
        let mut log = log(10, 10);
        let now = Instant::now();
        (1..=3).for_each(|number| assert_eq!(log.push(&publication("a", number, "x", 5), now), Pushed::New));
        assert!(log.after(&marks(&[]), &["x".into()]).is_err());
        assert_eq!(
            numbers(&log.after(&marks(&[("a", 1)]), &["x".into()]).unwrap()),
            [("a", 2), ("a", 3)]
        );
        log.trim(now + Duration::from_secs(10));
        assert!(log.after(&marks(&[("a", 2)]), &["x".into()]).is_err());
        assert!(log.after(&marks(&[("a", 3)]), &["x".into()]).unwrap().is_empty());
    }
}
