//! What a lane was lately told of its topics, so that it can serve those who missed some of it.

mod heritage;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::heritage::Heritage;
pub(crate) use self::heritage::{History, Source};
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

    /// The origins, with the number of the last publication seen of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, u64)> {
        self.0.iter().map(|(origin, number)| (origin, *number))
    }

    /// The origins of which this has seen more than another.
    fn ahead_of<'a>(&'a self, other: &'a Marks) -> impl Iterator<Item = &'a NodeId> {
        let ahead = self
            .0
            .iter()
            .filter(|(origin, number)| **number > other.of(origin));
        ahead.map(|(origin, _)| origin)
    }

    /// The first origin of which somebody with the `other` marks lacks something that is in these, with both numbers.
    fn missing_in<'a>(&'a self, other: &Marks) -> Option<(&'a NodeId, u64, u64)> {
        let mut all = self
            .0
            .iter()
            .map(|(origin, number)| (origin, *number, other.of(origin)));
        all.find(|(_, number, theirs)| number > theirs)
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
    entries: VecDeque<(Instant, Logged<P>)>,
    bytes: usize,
    /// How many entries there were ever.
    count: u64,
    seen: Marks,
    /// Per origin, the last entry that is no longer here.
    forgotten: Marks,
    causes: Causes,
    heritage: Heritage<P>,
}

#[derive(Debug)]
enum Logged<P> {
    Publication(Arc<Publication<P>>),
    /// Of what the origin had published up to this number, nothing more was to be served: another of the same cause had
    /// been, or it was for others.
    Unserved {
        origin: NodeId,
        number: u64,
    },
}

impl<P> Logged<P> {
    fn origin_and_number(&self) -> (&NodeId, u64) {
        match self {
            Self::Publication(publication) => (&publication.origin, publication.number),
            Self::Unserved { origin, number } => (origin, *number),
        }
    }
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

/// Some of what was asked for is not in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gap {
    #[error(
        "publications of {origin} to {topic:?} after number {after} are needed, but those up to {forgotten} are not kept"
    )]
    Forgotten {
        topic: Topic,
        origin: NodeId,
        after: u64,
        forgotten: u64,
    },
    #[error("what was published to {topic:?} before this lane heard it is not known")]
    Unknown { topic: Topic },
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
            causes: Causes::default(),
            heritage: Heritage::default(),
        }
    }

    /// Takes the next publication, unless it was seen before.
    pub(crate) fn push(&mut self, publication: &Arc<Publication<P>>, now: Instant) -> Pushed {
        let (origin, number) = (&publication.origin, publication.number);
        if number <= self.seen.of(origin) {
            return Pushed::Repeated;
        }
        self.seen.advance(origin, number);
        self.count += 1;
        self.heritage.arrives(publication);
        if !self.causes.push(publication) {
            // It stands in the log all the same, so that positions after it include it.
            let origin = origin.clone();
            self.entries.push_back((now, Logged::Unserved { origin, number }));
            return Pushed::SameCause;
        }
        self.bytes += publication.payload.weight();
        self.entries
            .push_back((now, Logged::Publication(publication.clone())));
        self.trim(now);
        Pushed::New
    }

    /// Nothing that `origin` had published up to this number is on its way to this lane any more. Positions from here on
    /// say so.
    pub(crate) fn passed(&mut self, origin: &NodeId, number: u64, now: Instant) {
        if number > self.seen.of(origin) {
            self.seen.advance(origin, number);
            self.count += 1;
            let origin = origin.clone();
            self.entries.push_back((now, Logged::Unserved { origin, number }));
            self.trim(now);
        }
    }

    /// All that `origin` publishes to a topic after this number comes to this lane by itself.
    pub(crate) fn flows(&mut self, topic: &Topic, origin: &NodeId, after: u64) {
        self.heritage.flows(topic, origin, after);
    }

    /// All that `origin` publishes after this number to the topics that are heard comes by itself, if it did not before.
    pub(crate) fn all_flow(&mut self, origin: &NodeId, after: u64) {
        self.heritage.all_flow(origin, after);
    }

    /// Drops what is too old.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.trim(now);
        self.heritage.expire(self.limits.age, now, &mut self.causes);
    }

    fn trim(&mut self, now: Instant) {
        while let Some((arrived, _)) = self.entries.front() {
            if self.bytes <= self.limits.bytes && now.duration_since(*arrived) < self.limits.age {
                break;
            }
            let Some((_, oldest)) = self.entries.pop_front() else {
                break;
            };
            let (origin, number) = oldest.origin_and_number();
            self.forgotten.advance(origin, number);
            if let Logged::Publication(publication) = &oldest {
                self.bytes -= publication.payload.weight();
                self.causes.forget(publication.cause);
                self.heritage.forget(publication);
            }
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
        for (_, entry) in self.entries.range((before - forgotten) as usize..) {
            let (origin, number) = entry.origin_and_number();
            part.push(origin, number);
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
        for (_, entry) in self.entries.range(..seen) {
            let (origin, number) = entry.origin_and_number();
            marks.advance(origin, number);
        }
        Some(marks)
    }

    /// What was published to `topics` after `marks`, in the order in which this lane saw it, for somebody who has
    /// missed nothing that was published before the lane heard these topics.
    pub(crate) fn after(&self, marks: &Marks, topics: &[Topic]) -> Result<Vec<Entry<P>>, Gap> {
        topics
            .iter()
            .try_for_each(|topic| self.heritage.check(topic, marks))?;
        let mut behind: Vec<&NodeId> = self.seen.ahead_of(marks).collect();
        let mut missed = Vec::new();
        for (entry, (_, logged)) in (1..=self.count).rev().zip(self.entries.iter().rev()) {
            if behind.is_empty() {
                break;
            }
            let (origin, number) = logged.origin_and_number();
            if number <= marks.of(origin) {
                // Numbers of one origin only grow: there is nothing of it before this.
                behind.retain(|other| *other != origin);
            } else if let Logged::Publication(publication) = logged
                && topics.contains(&publication.topic)
                && self.heritage.is_followed(&publication.topic, entry)
                && !self.causes.has_served(publication.cause, marks)
            {
                missed.push(Entry {
                    position: Position { log: self.id, entry },
                    publication: publication.clone(),
                });
            }
        }
        missed.reverse();
        Ok(missed)
    }

    // Topics

    /// The lane hears a topic from now on.
    pub(crate) fn begin_topic(&mut self, topic: &Topic) {
        self.heritage.begin(topic, self.count);
    }

    /// The lane hears a topic no more.
    pub(crate) fn end_topic(&mut self, topic: &Topic) {
        self.heritage.end(topic, &mut self.causes);
    }

    /// Whether the history of a topic is yet to be asked of a lane, in whose entities this one has begun to have an interest.
    /// It is awaited from now on.
    pub(crate) fn awaits_history(&mut self, topic: &Topic, source: &Source) -> bool {
        self.heritage.awaits(topic, source)
    }

    /// Some nodes are no members any more, and will not tell what they were asked.
    pub(crate) fn members_changed(&mut self, is_member: impl Fn(&NodeId) -> bool, now: Instant) {
        self.heritage.members_changed(is_member, now);
    }

    /// What another lane knows of a topic from before this one heard it.
    pub(crate) fn inherit(&mut self, source: &Source, history: History<P>, now: Instant) {
        let heard = self.heard(&history.topic);
        let heard: HashSet<(NodeId, u64)> = heard.map(|one| (one.origin.clone(), one.number)).collect();
        let causes = &mut self.causes;
        self.heritage
            .take(source, history, self.limits.bytes, now, |publication| {
                let has_come = heard.contains(&(publication.origin.clone(), publication.number));
                !has_come && causes.push(publication)
            });
    }

    /// What this lane heard of a topic itself, and keeps.
    fn heard(&self, topic: &Topic) -> impl Iterator<Item = &Arc<Publication<P>>> {
        let forgotten = self.count - self.entries.len() as u64;
        let entries = (forgotten + 1..).zip(&self.entries);
        entries.filter_map(move |(entry, (_, logged))| match logged {
            Logged::Publication(publication)
                if publication.topic == *topic && self.heritage.is_followed(topic, entry) =>
            {
                Some(publication)
            }
            _ => None,
        })
    }

    /// What is known here of a topic: the latest of it, and how far what came before goes.
    pub(crate) fn history_of(&self, topic: &Topic, max_bytes: usize, now: Instant) -> History<P> {
        let own: Vec<_> = self.heard(topic).collect();
        let is_recent = |then: Instant| now.duration_since(then) < self.limits.age;
        self.heritage.tell(topic, own.into_iter(), max_bytes, is_recent)
    }

    /// What was published to `topics` after `marks` before this lane heard them.
    ///
    /// # Errors
    /// When that is not known.
    pub(crate) fn inherited_after(
        &self,
        marks: &Marks,
        topics: &[Topic],
        now: Instant,
    ) -> Result<Vec<Arc<Publication<P>>>, Gap> {
        let age = self.limits.age;
        let is_recent = |then: Instant| now.duration_since(then) < age;
        self.heritage.after(marks, topics, &self.causes, is_recent)
    }

    /// A node has a link again: what it was asked before may not have come to it.
    pub(crate) fn linked(&mut self, node: &NodeId) {
        self.heritage.ask_again(node);
    }
}

/// What caused the entries of a log.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// The first publication of each.
    known: HashMap<u64, (NodeId, u64)>,
    /// The publications that were not served for the sake of one with the same cause.
    repetitions: HashMap<u64, Vec<(NodeId, u64)>>,
}

impl Causes {
    /// Whether this is the first of its cause.
    fn push<P>(&mut self, publication: &Publication<P>) -> bool {
        let this = (publication.origin.clone(), publication.number);
        if publication.cause == 0 {
            return true;
        }
        let first = self
            .known
            .entry(publication.cause)
            .or_insert_with(|| this.clone());
        if *first == this {
            return true;
        }
        self.repetitions.entry(publication.cause).or_default().push(this);
        false
    }

    fn forget(&mut self, cause: u64) {
        self.known.remove(&cause);
        self.repetitions.remove(&cause);
    }

    /// Whether somebody with these marks has been served another publication of this cause.
    pub(super) fn has_served(&self, cause: u64, marks: &Marks) -> bool {
        self.repetitions.get(&cause).is_some_and(|repetitions| {
            repetitions
                .iter()
                .any(|(origin, number)| *number <= marks.of(origin))
        })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Marks;
    use crate::member::testing::node;

    /// The marks of whoever has seen so much of these origins.
    pub(crate) fn marks(of: &[(&str, u64)]) -> Marks {
        let mut marks = Marks::default();
        of.iter()
            .for_each(|(origin, number)| marks.advance(&node(origin), *number));
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::marks, *};
    use crate::member::testing::node;

    impl Weigh for u32 {
        fn weight(&self) -> usize {
            *self as usize
        }
    }

    fn publication(origin: &str, number: u64, topic: &str, weight: u32) -> Arc<Publication<u32>> {
        Arc::new(Publication {
            origin: node(origin),
            number,
            topic: topic.into(),
            cause: u64::from(origin.as_bytes()[0]) << 32 | number,
            payload: weight,
        })
    }

    fn numbers(entries: &[Entry<u32>]) -> Vec<(&str, u64)> {
        entries
            .iter()
            .map(|one| (one.publication.origin.name.as_str(), one.publication.number))
            .collect()
    }

    fn log(bytes: usize, age: u64) -> Log<u32> {
        let mut log = Log::new(LogLimits {
            bytes,
            age: Duration::from_secs(age),
        });
        ["x", "y"]
            .iter()
            .for_each(|topic| log.begin_topic(&(*topic).into()));
        log
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
        assert_eq!(log.end().entry, 2, "positions include it");
        let missed = |of: &[(&str, u64)]| log.after(&marks(of), &["x".into()]).unwrap().len();
        assert_eq!(missed(&[]), 1);
        assert_eq!(missed(&[("b", 1)]), 0, "who has heard the second needs no first");
        log.expire(now + Duration::from_secs(10));
        assert_eq!(
            log.push(&caused("b", 2, 5), now),
            Pushed::New,
            "a log remembers causes as long as entries"
        );
    }

    #[test]
    fn what_was_heard_before_a_pause_does_not_count() {
        let (mut log, now, topic) = (log(1000, 10), Instant::now(), Topic::from("x"));
        log.push(&publication("a", 1, "x", 1), now);
        log.end_topic(&topic);
        log.begin_topic(&topic);
        log.push(&publication("a", 4, "x", 1), now);
        let history = History {
            topic: topic.clone(),
            forgotten: Marks::default(),
            is_whole: true,
            publications: (1..=4).map(|number| publication("a", number, "x", 1)).collect(),
        };
        let source = Source {
            node: node("b"),
            lane: 0,
        };
        log.inherit(&source, history, now);
        let topics = [topic];
        let before = log.inherited_after(&marks(&[]), &topics, now).unwrap();
        assert_eq!(before.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(numbers(&log.after(&marks(&[]), &topics).unwrap()), [("a", 4)]);
    }

    #[test]
    fn positions_say_what_a_lane_will_never_be_told() {
        let mut log = log(1000, 10);
        let now = Instant::now();
        log.push(&publication("a", 2, "x", 1), now);
        log.passed(&node("a"), 2, now);
        assert_eq!(log.end().entry, 1, "that was known");
        log.passed(&node("b"), 7, now);
        assert_eq!(log.marks_at(1), Some(marks(&[("a", 2)])));
        assert_eq!(log.marks_at(2), Some(marks(&[("a", 2), ("b", 7)])));
        assert_eq!(log.push(&publication("b", 7, "x", 1), now), Pushed::Repeated);
        assert!(log.after(&marks(&[]), &["y".into()]).unwrap().is_empty());
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
        log.expire(now + Duration::from_secs(10));
        assert!(log.after(&marks(&[("a", 2)]), &["x".into()]).is_err());
        assert!(log.after(&marks(&[("a", 3)]), &["x".into()]).unwrap().is_empty());
    }
}
