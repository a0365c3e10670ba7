//! Distributed pub/sub: which node wants which topic, and how a publication gets there.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::member::NodeId;

/// What is published to and subscribed to; for Socket.IO, a room of a namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Topic {
    fn from(topic: T) -> Self {
        Self(topic.into())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something published, as all its receivers on one node share it.
#[derive(Debug)]
pub struct Publication<P> {
    /// The node at which it was published.
    pub origin: NodeId,
    /// Its number there: grows by one with each publication of that node, whatever the topic.
    pub number: u64,
    /// Where it was published.
    pub topic: Topic,
    /// What made it be published, if that could happen twice: 0 for none. Of publications with one cause the first
    /// counts.
    pub cause: u64,
    /// What was published.
    pub payload: P,
}

/// From when on a new subscription is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// Every node knows of it: no later publication will be missed.
    Now,
    /// Other nodes have yet to hear of it; [`Entities::subscribed`](crate::Entities::subscribed) will be called.
    Pending,
}

/// A change of this node's interest, numbered so that its confirmation can be told from that of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InterestChange {
    pub(crate) change: u64,
    pub(crate) topic: Topic,
    pub(crate) wanted: bool,
}

/// The lanes of a node, as bits: so many that a mask of them fits a word.
pub(crate) const MAX_LANES: usize = 64;

/// Who wants what: the lanes of this node, and the other nodes. A pure table; its owner does the sending.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    here: HashMap<Topic, Here>,
    there: HashMap<Topic, Vec<NodeId>>,
    peers: HashSet<NodeId>,
    last_change: u64,
}

#[derive(Debug, Default)]
struct Here {
    lanes: u64,
    /// The change that announced the topic, and the peers that have not confirmed it.
    change: u64,
    unconfirmed: HashSet<NodeId>,
}

/// What is to be done after a subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) state: Subscribed,
    /// The change that has announced the topic, or does now.
    pub(crate) change: u64,
    /// To be sent to every linked peer.
    pub(crate) announce: Option<InterestChange>,
}

/// A peer knows that a topic is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// The lanes that want it.
    pub(crate) lanes: u64,
    pub(crate) state: Subscribed,
}

impl Interest {
    /// A lane wants the topic from now on.
    pub(crate) fn subscribe(&mut self, topic: &Topic, lane: usize) -> Subscription {
        let here = self.here.entry(topic.clone()).or_default();
        let first = here.lanes == 0;
        here.lanes |= 1 << lane;
        let announce = first.then(|| {
            self.last_change += 1;
            here.change = self.last_change;
            here.unconfirmed = self.peers.clone();
            InterestChange {
                change: here.change,
                topic: topic.clone(),
                wanted: true,
            }
        });
        let state = if here.unconfirmed.is_empty() {
            Subscribed::Now
        } else {
            Subscribed::Pending
        };
        Subscription {
            state,
            change: here.change,
            announce,
        }
    }

    /// Whether a peer is yet to confirm that it knows that a topic is wanted.
    pub(crate) fn is_unconfirmed(&self, topic: &Topic, peer: &NodeId) -> bool {
        self.here
            .get(topic)
            .is_some_and(|here| here.unconfirmed.contains(peer))
    }

    /// A lane wants the topic no more. Returns what is to be sent to every linked peer.
    pub(crate) fn unsubscribe(&mut self, topic: &Topic, lane: usize) -> Option<InterestChange> {
        let here = self.here.get_mut(topic)?;
        here.lanes &= !(1 << lane);
        if here.lanes != 0 {
            return None;
        }
        self.here.remove(topic);
        self.last_change += 1;
        Some(InterestChange {
            change: self.last_change,
            topic: topic.clone(),
            wanted: false,
        })
    }

    /// A peer has a link now. Returns the topics it must be told of.
    pub(crate) fn link_up(&mut self, peer: &NodeId) -> Vec<Topic> {
        self.peers.insert(peer.clone());
        self.here.keys().cloned().collect()
    }

    /// A peer is no member any more: it wants nothing.
    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.there.retain(|_, nodes| {
            nodes.retain(|node| node != peer);
            !nodes.is_empty()
        });
    }

    /// A peer says all that it wants.
    pub(crate) fn introduced(&mut self, peer: &NodeId, topics: Vec<Topic>) {
        self.forget(peer);
        topics
            .into_iter()
            .for_each(|topic| self.peer_wants(peer, topic, true));
    }

    /// A peer has no link at present; what it wants is kept for it. Returns the subscriptions that waited for it alone,
    /// with the changes that announced them and their lanes.
    pub(crate) fn link_down(&mut self, peer: &NodeId) -> Vec<(Topic, u64, u64)> {
        self.peers.remove(peer);
        let settled = |(topic, here): (&Topic, &mut Here)| {
            let waited = here.unconfirmed.remove(peer);
            (waited && here.unconfirmed.is_empty()).then(|| (topic.clone(), here.change, here.lanes))
        };
        self.here.iter_mut().filter_map(settled).collect()
    }

    /// A peer knows of a change. None if that was expected no more.
    pub(crate) fn confirmed(&mut self, peer: &NodeId, topic: &Topic, change: u64) -> Option<Confirmation> {
        let here = self.here.get_mut(topic).filter(|here| here.change == change)?;
        here.unconfirmed.remove(peer).then_some(Confirmation {
            lanes: here.lanes,
            state: if here.unconfirmed.is_empty() {
                Subscribed::Now
            } else {
                Subscribed::Pending
            },
        })
    }

    /// A peer wants, or no longer wants, a topic.
    pub(crate) fn peer_wants(&mut self, peer: &NodeId, topic: Topic, wanted: bool) {
        if wanted {
            let nodes = self.there.entry(topic).or_default();
            if !nodes.contains(peer) {
                nodes.push(peer.clone());
            }
        } else if let Some(nodes) = self.there.get_mut(&topic) {
            nodes.retain(|node| node != peer);
            if nodes.is_empty() {
                self.there.remove(&topic);
            }
        }
    }

    /// The lanes here that want a topic.
    pub(crate) fn lanes(&self, topic: &Topic) -> u64 {
        self.here.get(topic).map_or(0, |here| here.lanes)
    }

    /// The other nodes that want a topic.
    pub(crate) fn nodes(&self, topic: &Topic) -> &[NodeId] {
        self.there.get(topic).map_or(&[], Vec::as_slice)
    }
}

/// The positions of the bits in a mask of lanes.
pub(crate) fn lanes_in(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (mask != 0).then(|| {
            let lane = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            lane
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::testing::node;

    #[test]
    fn only_the_first_and_the_last_lane_are_announced() {
        let (mut interest, topic) = (Interest::default(), Topic::from("x"));
        assert!(
            interest
                .subscribe(&topic, 0)
                .announce
                .is_some_and(|change| change.wanted)
        );
        assert!(interest.subscribe(&topic, 3).announce.is_none());
        assert_eq!(lanes_in(interest.lanes(&topic)).collect::<Vec<_>>(), [0, 3]);
        assert!(interest.unsubscribe(&topic, 0).is_none());
        assert!(
            interest
                .unsubscribe(&topic, 3)
                .is_some_and(|change| !change.wanted)
        );
        assert_eq!(interest.lanes(&topic), 0);
    }

    #[test]
    fn a_subscription_is_in_force_when_every_linked_peer_has_confirmed_it() {
        let (mut interest, topic) = (Interest::default(), Topic::from("x"));
        assert!(interest.link_up(&node("b")).is_empty());
        assert!(interest.link_up(&node("c")).is_empty());
        let first = interest.subscribe(&topic, 1);
        let change = first.announce.unwrap().change;
        assert_eq!(first.state, Subscribed::Pending);
        assert_eq!(interest.subscribe(&topic, 2).state, Subscribed::Pending);
        assert!(interest.is_unconfirmed(&topic, &node("b")));
        let by_lanes_1_and_2 = |state| Some(Confirmation { lanes: 0b110, state });
        assert_eq!(
            interest.confirmed(&node("b"), &topic, change),
            by_lanes_1_and_2(Subscribed::Pending)
        );
        assert_eq!(interest.confirmed(&node("b"), &topic, change), None);
        assert!(!interest.is_unconfirmed(&topic, &node("b")));
        assert_eq!(
            interest.confirmed(&node("c"), &topic, change),
            by_lanes_1_and_2(Subscribed::Now)
        );
        assert_eq!(interest.subscribe(&topic, 3).state, Subscribed::Now);
        assert_eq!(interest.link_up(&node("d")), [topic]);
    }

    #[test]
    fn a_lost_peer_confirms_nothing_and_is_not_waited_for() {
        let (mut interest, topic) = (Interest::default(), Topic::from("x"));
        interest.link_up(&node("b"));
        interest.peer_wants(&node("b"), topic.clone(), true);
        let subscription = interest.subscribe(&topic, 0);
        assert_eq!(subscription.state, Subscribed::Pending);
        assert_eq!(
            interest.link_down(&node("b")),
            [(topic.clone(), subscription.change, 1)]
        );
        assert_eq!(
            interest.nodes(&topic),
            [node("b")],
            "what it misses is kept for it"
        );
        interest.introduced(&node("b"), vec!["y".into()]);
        assert!(interest.nodes(&topic).is_empty());
        assert_eq!(interest.nodes(&"y".into()), [node("b")]);
        interest.forget(&node("b"));
        assert!(interest.nodes(&"y".into()).is_empty());
    }

    #[test]
    fn the_confirmation_of_an_earlier_interest_does_not_count() {
        let (mut interest, topic) = (Interest::default(), Topic::from("x"));
        interest.link_up(&node("b"));
        let old = interest.subscribe(&topic, 0).announce.unwrap().change;
        interest.unsubscribe(&topic, 0);
        let new = interest.subscribe(&topic, 0).announce.unwrap().change;
        assert_eq!(interest.confirmed(&node("b"), &topic, old), None);
        assert!(interest.confirmed(&node("b"), &topic, new).is_some());
    }

    #[test]
    fn peers_want_topics_once() {
        let (mut interest, topic) = (Interest::default(), Topic::from("x"));
        interest.peer_wants(&node("b"), topic.clone(), true);
        interest.peer_wants(&node("b"), topic.clone(), true);
        assert_eq!(interest.nodes(&topic), [node("b")]);
        interest.peer_wants(&node("b"), topic.clone(), false);
        assert!(interest.nodes(&topic).is_empty());
    }
}
