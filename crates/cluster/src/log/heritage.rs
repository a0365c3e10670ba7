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

/// What one lane tells another of a topic.
#[derive(Debug)]
pub(crate) struct History<P> {
    pub(crate) topic: Topic,
    /// Per origin, the last publication to the topic that is not told.
    pub(crate) forgotten: Marks,
    /// The later ones, in the order in which that lane saw them.
    pub(crate) publications: Vec<Arc<Publication<P>>>,
}

/// What a lane knows of its topics from before it heard them.
#[derive(Debug)]
pub(super) struct Heritage<P> {
    topics: HashMap<Topic, Past>,
    publications: VecDeque<(Instant, Arc<Publication<P>>)>,
    bytes: usize,
}

/// What is known of one topic that the lane hears.
#[derive(Debug, Default)]
struct Past {
    /// Per origin, the last publication that is known to have been and is not kept.
    forgotten: Marks,
    /// The nodes that were asked, and when those that have not answered yet were.
    asked: HashMap<NodeId, Option<Instant>>,
}

impl<P> Default for Heritage<P> {
    fn default() -> Self {
        Self {
            topics: HashMap::new(),
            publications: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<P: Weigh> Heritage<P> {
    pub(super) fn begin(&mut self, topic: &Topic) {
        self.topics.entry(topic.clone()).or_default();
    }

    pub(super) fn end(&mut self, topic: &Topic) {
        if self.topics.remove(topic).is_some() {
            let bytes = &mut self.bytes;
            self.publications.retain(|(_, publication)| {
                let stays = publication.topic != *topic;
                if !stays {
                    *bytes -= publication.payload.weight();
                }
                stays
            });
        }
    }

    pub(super) fn awaits(&mut self, topic: &Topic, source: &NodeId, now: Instant) -> bool {
        match self.topics.get_mut(topic) {
            Some(past) if !past.asked.contains_key(source) => {
                past.asked.insert(source.clone(), Some(now));
                true
            }
            _ => false,
        }
    }

    pub(super) fn ask_again(&mut self, source: &NodeId) {
        for past in self.topics.values_mut() {
            past.asked
                .retain(|node, unanswered| node != source || unanswered.is_none());
        }
    }

    pub(super) fn take(
        &mut self,
        source: &NodeId,
        history: History<P>,
        now: Instant,
        mut is_new: impl FnMut(&Publication<P>) -> bool,
    ) {
        let Some(past) = self.topics.get_mut(&history.topic) else {
            // Nobody here is interested any more.
            return;
        };
        past.asked.insert(source.clone(), None);
        past.forgotten.merge(&history.forgotten);
        for publication in history.publications {
            let is_here = self
                .publications
                .iter()
                .any(|(_, other)| other.number == publication.number && other.origin == publication.origin);
            if !is_here && is_new(&publication) {
                self.bytes += publication.payload.weight();
                self.publications.push_back((now, publication));
            }
        }
    }

    /// A publication is not kept any longer.
    pub(super) fn forget(&mut self, publication: &Publication<P>) {
        if let Some(past) = self.topics.get_mut(&publication.topic) {
            past.forgotten.advance(&publication.origin, publication.number);
        }
    }

    pub(super) fn trim(&mut self, max_bytes: usize, max_age: Duration, now: Instant, causes: &mut Causes) {
        while let Some((since, _)) = self.publications.front() {
            if self.bytes <= max_bytes && now.duration_since(*since) < max_age {
                break;
            }
            if let Some((_, oldest)) = self.publications.pop_front() {
                self.bytes -= oldest.payload.weight();
                causes.forget(oldest.cause);
                self.forget(&oldest);
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
        is_awaited: impl Fn(Instant) -> bool,
    ) -> Result<Vec<Arc<Publication<P>>>, Gap> {
        for topic in topics {
            self.check(topic, marks)?;
            let is_unknown = |past: &Past| past.asked.values().flatten().any(|asked| is_awaited(*asked));
            if self.topics.get(topic).is_some_and(is_unknown) {
                return Err(Gap::Unknown { topic: topic.clone() });
            }
        }
        let missed = self.publications.iter().map(|(_, publication)| publication);
        let missed = missed.filter(|publication| {
            publication.number > marks.of(&publication.origin)
                && topics.contains(&publication.topic)
                && !causes.has_served(publication.cause, marks)
        });
        Ok(missed.cloned().collect())
    }

    pub(super) fn tell<'a>(
        &'a self,
        topic: &Topic,
        own: impl DoubleEndedIterator<Item = &'a Arc<Publication<P>>>,
        max_bytes: usize,
    ) -> History<P> {
        let mut forgotten = self
            .topics
            .get(topic)
            .map(|past| past.forgotten.clone())
            .unwrap_or_default();
        let inherited = self
            .publications
            .iter()
            .map(|(_, publication)| publication)
            .filter(|publication| publication.topic == *topic);
        let mut bytes = 0;
        let mut publications = Vec::new();
        for publication in own.rev().chain(inherited.rev()) {
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
            publications,
        }
    }
}
