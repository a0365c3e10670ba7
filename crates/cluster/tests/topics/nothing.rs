//! Lanes in which nothing lives: these nodes are there for their topics.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use hither_cluster::{
    Change, CommitId, Entities, Entry, Key, Lane, Marks, NodeId, Placement, Publication, ReplyTo, Topic,
    Weigh,
};
use serde::{Deserialize, Serialize};

/// A lane that at most counts what is published by the cluster itself, not by replicated topics.
#[derive(Default)]
pub(crate) struct Nothing {
    /// To which topics it is yet to subscribe.
    pub(crate) subscribes: Vec<Topic>,
    pub(crate) heard: Arc<AtomicU64>,
}

/// What lanes could be asked, and what is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Payload(pub(crate) String);

impl Weigh for Payload {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

impl Entities for Nothing {
    type Request = Payload;
    type Reply = ();
    type Snapshot = ();
    type Delta = ();
    type Direct = ();
    type Publication = Payload;
    type Event = ();

    fn creates(_: &Payload) -> bool {
        false
    }

    fn is_inquiry(_: &Payload) -> bool {
        true
    }

    fn route((): (), _: usize, _: &dyn Fn(&Key) -> usize) -> Vec<(usize, ())> {
        Vec::new()
    }

    fn request(&mut self, _: &mut Lane<Self>, _: &Key, _: Payload, _: ReplyTo<Self>) {}

    fn event(&mut self, _: &mut Lane<Self>, (): ()) {}

    fn direct(&mut self, _: &mut Lane<Self>, _: &NodeId, (): ()) {}

    fn publication(&mut self, _: &mut Lane<Self>, _: &Arc<Publication<Payload>>) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    fn passed(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn committed(&mut self, _: &mut Lane<Self>, _: &Key, _: CommitId) {}

    fn subscribed(&mut self, _: &mut Lane<Self>, _: &Topic) {}

    fn placed(&mut self, _: &mut Lane<Self>, _: &Placement, _: &Placement) {}

    fn linked(&mut self, _: &mut Lane<Self>, _: &NodeId) {}

    fn reunited(&mut self, _: &mut Lane<Self>) {}

    fn tick(&mut self, lane: &mut Lane<Self>) {
        for topic in self.subscribes.drain(..) {
            lane.subscribe(&topic);
        }
    }

    fn flush(&mut self, _: &mut Lane<Self>) {}

    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn contains(&self, _: &Key) -> bool {
        false
    }

    fn is_for_another(&self, _: &Key, _: &Payload, _: Option<Instant>) -> bool {
        false
    }

    fn topics(&self, _: &Key) -> Vec<Topic> {
        Vec::new()
    }

    fn freeze(&mut self, _: &mut Lane<Self>, _: &Key) -> Option<()> {
        None
    }

    fn thaw(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn missed(&mut self, _: &mut Lane<Self>, _: &Key, _: &Entry<Payload>) {}

    fn resume(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn adopt(&mut self, _: &mut Lane<Self>, _: &Key, (): (), _: &Marks) {}

    fn is_better(&self, _: &Key, (): &()) -> bool {
        false
    }

    fn replica(&mut self, _: &mut Lane<Self>, _: &Key) -> Option<()> {
        None
    }

    fn change(&mut self, _: &mut Lane<Self>, _: &Key, _: bool) -> Change<()> {
        Change::None
    }

    fn apply((): &mut (), (): ()) -> bool {
        false
    }

    fn topics_of((): &()) -> Vec<Topic> {
        Vec::new()
    }

    fn revive(&mut self, _: &mut Lane<Self>, _: &Key, (): ()) {}

    fn give_up(&mut self, _: &mut Lane<Self>, _: &HashSet<Key>) {}

    fn remove(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn kill(&mut self, _: &mut Lane<Self>, _: &Key, _: &str) {}
}
