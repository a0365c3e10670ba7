//! What a lane knows of its topics from before it heard them, from the lanes that did.
//!
//! An entity whose client is away may move to a lane that has never heard its topics, and the client may ask there for
//! what it has missed since long before. So the history of a topic goes along with the first entity that needs it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Causes, Gap, Marks};
use crate::{
    entity::Weigh,
    member::NodeId,
    topic::{Publication, Topic},
};

/// Who knows the history of topics: a lane of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(crate) node: NodeId,
    pub(crate) lane: u32,
}

/// What one lane tells another of a topic.
#[derive(Debug)]
pub(crate) struct History<P> {
    pub(crate) topic: Topic,
    /// Per origin, the last publication to the topic that is not told.
    pub(crate) forgotten: Marks,
    /// False if that lane is itself missing what it was never told.
    pub(crate) is_whole: bool,
    /// The later ones, in the order in which that lane saw them.
    pub(crate) publications: Vec<Arc<Publication<P>>>,
}

impl<P> History<P> {
    /// Per origin, how far this history goes.
    pub(crate) fn reaches(&self) -> Marks {
        let mut marks = self.forgotten.clone();
        for publication in &self.publications {
            marks.advance(&publication.origin, publication.number);
        }
        marks
    }
}

/// What a lane knows of its topics from before it heard them.
#[derive(Debug)]
pub(super) struct Heritage<P> {
    topics: HashMap<Topic, Past<P>>,
    bytes: usize,
}

/// What is known of one topic that the lane hears.
#[derive(Debug)]
struct Past<P> {
    /// The last entry of the log before the lane heard the topic. What came earlier, when it had heard it before, has a gap
    /// behind it.
    begun_after: u64,
    /// Per origin, the last publication that is known to have been and is not kept.
    forgotten: Marks,
    /// Per origin, after which number all comes by itself.
    flows: HashMap<NodeId, u64>,
    /// The lanes that were asked.
    asked: HashMap<Source, Asked>,
    /// When it turned out that nobody answers who could: for as long as that could have told of, something may be missing.
    unknown_since: Option<Instant>,
    publications: VecDeque<(Instant, Arc<Publication<P>>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Waiting,
    Answered,
}

impl<P> Default for Heritage<P> {
    fn default() -> Self {
        Self {
            topics: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<P> Past<P> {
    fn after(begun_after: u64) -> Self {
        Self {
            begun_after,
            forgotten: Marks::default(),
            flows: HashMap::new(),
            asked: HashMap::new(),
            unknown_since: None,
            publications: VecDeque::new(),
        }
    }

    fn position(&self, of: &Publication<P>) -> Option<usize> {
        self.publications
            .iter()
            .position(|(_, other)| other.number == of.number && other.origin == of.origin)
    }

    /// Whether a publication has come, or will come, by itself.
    fn flows(&self, publication: &Publication<P>) -> bool {
        let after = self.flows.get(&publication.origin);
        after.is_some_and(|after| publication.number > *after)
    }

    /// Where a publication belongs that another lane saw after those before `at`: numbers of one origin only grow.
    fn place(&self, of: &Publication<P>, at: usize) -> usize {
        let is_earlier = |(_, other): &(Instant, Arc<Publication<P>>)| {
            other.origin == of.origin && other.number < of.number
        };
        let earlier = self.publications.iter().rposition(is_earlier);
        earlier.map_or(at, |earlier| at.max(earlier + 1))
    }
}

impl<P: Weigh> Heritage<P> {
    pub(super) fn begin(&mut self, topic: &Topic, last: u64) {
        self.topics
            .entry(topic.clone())
            .or_insert_with(|| Past::after(last));
    }

    pub(super) fn flows(&mut self, topic: &Topic, origin: &NodeId, after: u64) {
        if let Some(past) = self.topics.get_mut(topic) {
            // An earlier word may be of when the lane heard the topic before.
            let known = past.flows.entry(origin.clone()).or_default();
            *known = after.max(*known);
        }
    }

    pub(super) fn all_flow(&mut self, origin: &NodeId, after: u64) {
        for past in self.topics.values_mut() {
            past.flows.entry(origin.clone()).or_insert(after);
        }
    }

    /// Whether an entry of the log came while the lane heard its topic without a pause until now.
    pub(super) fn is_followed(&self, topic: &Topic, entry: u64) -> bool {
        self.topics
            .get(topic)
            .is_some_and(|past| entry > past.begun_after)
    }

    pub(super) fn end(&mut self, topic: &Topic, causes: &mut Causes) {
        if let Some(past) = self.topics.remove(topic) {
            for (_, publication) in past.publications {
                self.bytes -= publication.payload.weight();
                causes.forget(publication.cause);
            }
        }
    }

    pub(super) fn awaits(&mut self, topic: &Topic, source: &Source) -> bool {
        match self.topics.get_mut(topic) {
            Some(past) if !past.asked.contains_key(source) => {
                past.asked.insert(source.clone(), Asked::Waiting);
                true
            }
            _ => false,
        }
    }

    pub(super) fn ask_again(&mut self, node: &NodeId) {
        for past in self.topics.values_mut() {
            past.asked
                .retain(|source, asked| source.node != *node || *asked == Asked::Answered);
        }
    }

    /// Some nodes are no members any more: those of them that have not answered will not.
    pub(super) fn members_changed(&mut self, is_member: impl Fn(&NodeId) -> bool, now: Instant) {
        for past in self.topics.values_mut() {
            let gone = past.asked.extract_if(|source, _| !is_member(&source.node));
            if gone.filter(|(_, asked)| *asked == Asked::Waiting).count() > 0 {
                past.unknown_since = Some(now);
            }
        }
    }

    /// Takes what another lane tells, within `max_bytes` of all topics; of that `is_new` what this lane has not heard
    /// itself.
    pub(super) fn take(
        &mut self,
        source: &Source,
        history: History<P>,
        max_bytes: usize,
        now: Instant,
        mut is_new: impl FnMut(&Publication<P>) -> bool,
    ) {
        let Some(past) = self.topics.get_mut(&history.topic) else {
            // Nobody here is interested any more.
            return;
        };
        past.asked.insert(source.clone(), Asked::Answered);
        past.forgotten.merge(&history.forgotten);
        if !history.is_whole {
            past.unknown_since = Some(now);
        }
        // Two lanes saw the same in the same order, but not from the same time on.
        let mut at = 0;
        for publication in history.publications {
            if let Some(known) = past.position(&publication) {
                at = at.max(known + 1);
            } else if !past.flows(&publication) && is_new(&publication) {
                let weight = publication.payload.weight();
                if self.bytes + weight > max_bytes {
                    past.forgotten.advance(&publication.origin, publication.number);
                    continue;
                }
                self.bytes += weight;
                at = past.place(&publication, at);
                past.publications.insert(at, (now, publication));
                at += 1;
            }
        }
    }

    /// A publication comes by itself, which may have been inherited before.
    pub(super) fn arrives(&mut self, publication: &Publication<P>) {
        if let Some(past) = self.topics.get_mut(&publication.topic)
            && let Some(position) = past.position(publication)
            && let Some((_, inherited)) = past.publications.remove(position)
        {
            self.bytes -= inherited.payload.weight();
        }
    }

    /// A publication is not kept any longer.
    pub(super) fn forget(&mut self, publication: &Publication<P>) {
        if let Some(past) = self.topics.get_mut(&publication.topic) {
            past.forgotten.advance(&publication.origin, publication.number);
        }
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, max_age: Duration, now: Instant, causes: &mut Causes) {
        for past in self.topics.values_mut() {
            while let Some((since, _)) = past.publications.front()
                && now.duration_since(*since) >= max_age
                && let Some((_, oldest)) = past.publications.pop_front()
            {
                self.bytes -= oldest.payload.weight();
                causes.forget(oldest.cause);
                past.forgotten.advance(&oldest.origin, oldest.number);
            }
        }
    }

    /// Whether nothing that lies after `marks` was forgotten.
    pub(super) fn check(&self, topic: &Topic, marks: &Marks) -> Result<(), Gap> {
        let past = self
            .topics
            .get(topic)
            .ok_or_else(|| Gap::Unknown { topic: topic.clone() })?;
        match past.forgotten.missing_in(marks) {
            None => Ok(()),
            Some((origin, forgotten, after)) => Err(Gap::Forgotten {
                topic: topic.clone(),
                origin: origin.clone(),
                after,
                forgotten,
            }),
        }
    }

    pub(super) fn after(
        &self,
        marks: &Marks,
        topics: &[Topic],
        causes: &Causes,
        is_recent: impl Fn(Instant) -> bool,
    ) -> Result<Vec<Arc<Publication<P>>>, Gap> {
        let mut missed = Vec::new();
        for topic in topics {
            self.check(topic, marks)?;
            let Some(past) = self.topics.get(topic) else {
                continue;
            };
            if past.unknown_since.is_some_and(&is_recent) {
                return Err(Gap::Unknown { topic: topic.clone() });
            }
            let later = past.publications.iter().map(|(_, publication)| publication);
            let later = later.filter(|publication| {
                publication.number > marks.of(&publication.origin)
                    && !causes.has_served(publication.cause, marks)
            });
            missed.extend(later.cloned());
        }
        Ok(missed)
    }

    /// What is known of a topic, with what the lane heard itself: the latest of it.
    pub(super) fn tell<'a>(
        &'a self,
        topic: &Topic,
        own: impl DoubleEndedIterator<Item = &'a Arc<Publication<P>>>,
        max_bytes: usize,
        is_recent: impl Fn(Instant) -> bool,
    ) -> History<P> {
        let past = self.topics.get(topic);
        let mut forgotten = past.map(|past| past.forgotten.clone()).unwrap_or_default();
        let unknown_since = past.and_then(|past| past.unknown_since);
        let inherited = past.into_iter().flat_map(|past| &past.publications);
        let inherited: Vec<_> = inherited.map(|(_, publication)| publication).collect();
        let mut bytes = 0;
        let mut publications = Vec::new();
        for publication in own.rev().chain(inherited.into_iter().rev()) {
            bytes += publication.payload.weight();
            if bytes <= max_bytes {
                publications.push(publication.clone());
            } else {
                forgotten.advance(&publication.origin, publication.number);
            }
        }
        publications.reverse();
        History {
            topic: topic.clone(),
            forgotten,
            is_whole: !unknown_since.is_some_and(is_recent),
            publications,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::marks;
    use crate::member::testing::node;

    fn source(name: &str) -> Source {
        Source {
            node: node(name),
            lane: 0,
        }
    }

    fn history(of: &[(&str, u64)], forgotten: &[(&str, u64)]) -> History<u32> {
        let publication = |(origin, number): &(&str, u64)| {
            Arc::new(Publication {
                origin: node(origin),
                number: *number,
                topic: "x".into(),
                cause: 0,
                payload: 10,
            })
        };
        History {
            topic: "x".into(),
            forgotten: marks(forgotten),
            is_whole: true,
            publications: of.iter().map(publication).collect(),
        }
    }

    fn heritage() -> Heritage<u32> {
        let mut heritage = Heritage::default();
        heritage.begin(&"x".into(), 0);
        heritage
    }

    fn after(heritage: &Heritage<u32>, of: &[(&str, u64)]) -> Result<Vec<(String, u64)>, Gap> {
        let missed = heritage.after(&marks(of), &["x".into()], &Causes::default(), |_| true)?;
        let told = |one: &Arc<Publication<u32>>| (one.origin.to_string(), one.number);
        Ok(missed.iter().map(told).collect())
    }

    fn named(of: &[(&str, u64)]) -> Vec<(String, u64)> {
        of.iter()
            .map(|(origin, number)| ((*origin).to_owned(), *number))
            .collect()
    }

    #[test]
    fn what_two_lanes_tell_comes_into_one_order() {
        let mut heritage = heritage();
        let now = Instant::now();
        let late = history(&[("a", 7), ("b", 3)], &[]);
        let early = history(
            &[
                ("a", 4),
                ("b", 1),
                ("a", 5),
                ("a", 7),
                ("b", 2),
                ("b", 3),
                ("a", 8),
            ],
            &[],
        );
        heritage.take(&source("c"), late, 1000, now, |_| true);
        heritage.take(&source("d"), early, 1000, now, |_| true);
        let all = [
            ("a", 4),
            ("b", 1),
            ("a", 5),
            ("a", 7),
            ("b", 2),
            ("b", 3),
            ("a", 8),
        ];
        assert_eq!(after(&heritage, &[]).unwrap(), named(&all));
        assert_eq!(after(&heritage, &[("a", 5), ("b", 1)]).unwrap(), named(&all[3..]));
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let mut heritage = heritage();
        let now = Instant::now();
        assert!(heritage.awaits(&"x".into(), &source("c")));
        assert!(!heritage.awaits(&"x".into(), &source("c")), "it is asked already");
        heritage.ask_again(&node("c"));
        assert!(heritage.awaits(&"x".into(), &source("c")));
        heritage.take(&source("c"), history(&[("a", 6)], &[("a", 5)]), 1000, now, |_| {
            true
        });
        assert!(matches!(
            after(&heritage, &[("a", 4)]),
            Err(Gap::Forgotten { .. })
        ));
        assert_eq!(after(&heritage, &[("a", 5)]).unwrap(), named(&[("a", 6)]));
        heritage.expire(Duration::ZERO, now, &mut Causes::default());
        assert!(matches!(
            after(&heritage, &[("a", 5)]),
            Err(Gap::Forgotten { .. })
        ));
    }

    #[test]
    fn who_dies_before_it_answers_may_have_known_more() {
        let mut heritage = heritage();
        let now = Instant::now();
        heritage.awaits(&"x".into(), &source("c"));
        heritage.take(&source("c"), history(&[], &[]), 1000, now, |_| true);
        heritage.members_changed(|_| false, now);
        assert_eq!(after(&heritage, &[]).unwrap(), []);
        heritage.awaits(&"x".into(), &source("d"));
        heritage.members_changed(|_| false, now);
        assert!(matches!(after(&heritage, &[]), Err(Gap::Unknown { .. })));
    }

    #[test]
    fn no_more_is_inherited_than_there_is_room_for() {
        let mut heritage = heritage();
        heritage.take(
            &source("c"),
            history(&[("a", 1), ("b", 1)], &[]),
            10,
            Instant::now(),
            |_| true,
        );
        assert!(after(&heritage, &[]).is_err());
        assert_eq!(after(&heritage, &[("b", 1)]).unwrap(), named(&[("a", 1)]));
    }

    #[test]
    fn who_is_told_by_somebody_who_does_not_know_all_does_not_either() {
        let (mut heritage, now) = (heritage(), Instant::now());
        let told = History {
            is_whole: false,
            ..history(&[("a", 1)], &[])
        };
        heritage.take(&source("c"), told, 1000, now, |_| true);
        assert!(matches!(after(&heritage, &[]), Err(Gap::Unknown { .. })));
        let passed_on = heritage.tell(&"x".into(), [].iter(), 1000, |_| true);
        assert!(!passed_on.is_whole);
        assert!(heritage.tell(&"x".into(), [].iter(), 1000, |_| false).is_whole);
    }

    #[test]
    fn what_will_come_by_itself_is_not_inherited() {
        let (mut heritage, x) = (heritage(), Topic::from("x"));
        heritage.flows(&x, &node("a"), 2);
        heritage.flows(&x, &node("a"), 1);
        heritage.all_flow(&node("a"), 0);
        heritage.all_flow(&node("b"), 0);
        let told = history(&[("a", 1), ("a", 2), ("a", 3), ("b", 1), ("gone", 1)], &[]);
        heritage.take(&source("c"), told, 1000, Instant::now(), |_| true);
        let inherited = named(&[("a", 1), ("a", 2), ("gone", 1)]);
        assert_eq!(after(&heritage, &[]).unwrap(), inherited);
    }

    #[test]
    fn what_comes_by_itself_is_inherited_no_more() {
        let mut heritage = heritage();
        let told = history(&[("a", 1), ("a", 2)], &[]);
        let first = told.publications[0].clone();
        heritage.take(&source("c"), told, 1000, Instant::now(), |_| true);
        heritage.arrives(&first);
        assert_eq!(after(&heritage, &[]).unwrap(), named(&[("a", 2)]));
    }
}
