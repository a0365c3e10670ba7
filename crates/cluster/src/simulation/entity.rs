//! Model entities: they have topics, and remember every publication that they were served.

use std::{collections::BTreeMap, fmt};

use crate::{
    entity::Weigh,
    log::Marks,
    member::NodeId,
    topic::{Publication, Topic},
};

impl Weigh for () {
    /// Logs of the simulation are bounded in publications.
    fn weight(&self) -> usize {
        1
    }
}

/// From which step on an entity must be served everything that is published to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Not all nodes know of the subscription yet.
    Pending,
    Step(u64),
}

/// One copy of an entity; a snapshot of it is the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Entity {
    pub(super) topics: BTreeMap<Topic, Since>,
    /// Per origin, the numbers in the order in which they were served.
    served: BTreeMap<NodeId, Vec<u64>>,
    /// What it was served, or did not want, in the lanes before.
    floor: Marks,
    /// Whether a handler runs.
    pub(super) is_busy: bool,
}

/// An entity was served what it had been served before, or what came before that.
#[derive(Debug)]
pub(super) struct Disorder {
    pub(super) after: u64,
}

impl Entity {
    /// Serves a publication, if it was published to a topic of this entity.
    pub(super) fn hear(&mut self, publication: &Publication<()>) -> Result<(), Disorder> {
        let is_known = publication.number <= self.floor.of(&publication.origin);
        if is_known || !self.topics.contains_key(&publication.topic) {
            return Ok(());
        }
        let numbers = self.served.entry(publication.origin.clone()).or_default();
        let after = numbers.last().copied().unwrap_or(0);
        numbers.push(publication.number);
        if publication.number > after {
            Ok(())
        } else {
            Err(Disorder { after })
        }
    }

    /// It comes from a lane that had served it up to these marks.
    pub(super) fn served_up_to(&mut self, marks: &Marks) {
        self.floor.merge(marks);
    }

    pub(super) fn has_heard(&self, origin: &NodeId, number: u64) -> bool {
        // In order, or the run would have ended.
        self.served
            .get(origin)
            .is_some_and(|numbers| numbers.binary_search(&number).is_ok())
    }

    /// How many publications it was served.
    pub(super) fn count(&self) -> usize {
        self.served.values().map(Vec::len).sum()
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |(origin, numbers): (&NodeId, &Vec<u64>)| Some((origin.clone(), *numbers.last()?));
        let served: BTreeMap<NodeId, u64> = self.served.iter().filter_map(last).collect();
        write!(f, "{{{:?}, served up to {served:?}}}", self.topics)
    }
}
