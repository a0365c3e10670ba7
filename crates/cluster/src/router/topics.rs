//! The router's part in pub/sub: who wants what, and publishing.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use tracing::{debug, error};

use super::{Router, lock, mourning::Mourning, pause::Pause};
use crate::{
    ask::LinkMessage,
    backlog::{Backlog, Parcel},
    entity::Entities,
    lane::{Flow, LaneMessage},
    links::Credit,
    member::NodeId,
    topic::{Confirmation, Interest, InterestChange, Publication, Subscribed, Topic},
    version::WireVersion,
    wire,
};

/// What this node keeps of its own publications, for peers whose link is cut: as long as lanes keep their logs.
const OWN_BACKLOG: (usize, Duration) = (8 << 20, Duration::from_secs(120));
/// What this node keeps of each other node's, in case that dies before it has told everybody: what can be under way.
const OTHERS_BACKLOG: (usize, Duration) = (1 << 20, Duration::from_secs(10));

/// Who wants what, and what was published.
pub(super) struct Topics {
    pub(super) interest: Interest,
    /// The number of this node's last publication.
    pub(super) number: u64,
    pub(super) sent: Backlog,
    /// What was heard of each other node.
    pub(super) heard: HashMap<NodeId, Heard>,
    /// The introductions to the peers that have a link.
    pub(super) introductions: HashMap<NodeId, Introduced>,
    pub(super) last_introduction: u64,
    /// When a node that had been gone was last a member again.
    pub(super) reunited_at: Option<Instant>,
    pub(super) mourning: Mourning,
    pub(super) pause: Option<Pause>,
}

/// Whether a peer has taken notice of an introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Introduced {
    /// Not yet: what it publishes before may lie behind what is to be sent again, and is sent again with it.
    Waiting(u64),
    /// It publishes what follows upon what was heard.
    Continuing,
}

/// What was heard of another node, and how it stands to this one.
pub(super) struct Heard {
    /// Nothing that it had published up to this number is still to come: what was wanted has, and the rest will not.
    pub(super) number: u64,
    pub(super) backlog: Backlog,
    /// How many lanes it has.
    pub(super) lanes: u32,
    /// Whether it is known what it wants: not while it is no member, nor before it has said so again.
    pub(super) has_wished: bool,
    /// Since when it is no member.
    pub(super) gone_since: Option<Instant>,
    /// How often it has been taken for gone, and its entities lived on elsewhere.
    pub(super) counted_out: u64,
    /// How often it has done so with this node, as far as it has said.
    pub(super) counted_me_out: u64,
}

impl Heard {
    pub(super) fn up_to(number: u64) -> Self {
        let (bytes, age) = OTHERS_BACKLOG;
        Self {
            number,
            backlog: Backlog::new(bytes, age),
            lanes: 1,
            has_wished: false,
            gone_since: None,
            counted_out: 0,
            counted_me_out: 0,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone_since.is_some()
    }

    /// Nothing up to this number is still to come.
    pub(super) fn reaches(&mut self, number: u64) {
        self.number = self.number.max(number);
    }

    pub(super) fn take(&mut self, parcel: Parcel) {
        self.reaches(parcel.number);
        self.backlog.push(parcel, None, Instant::now());
    }
}

impl Topics {
    /// Whether what a peer publishes is taken. Not while it is no member, for others count on its having said no more; nor
    /// before it knows up to where it was heard, for something is missing before. Then it is sent again.
    pub(super) fn listens_to(&self, peer: &NodeId) -> bool {
        let continues = self.introductions.get(peer) == Some(&Introduced::Continuing);
        continues && self.heard.get(peer).is_some_and(|heard| !heard.is_gone())
    }
}

impl Default for Topics {
    fn default() -> Self {
        let (bytes, age) = OWN_BACKLOG;
        Self {
            interest: Interest::default(),
            number: 0,
            sent: Backlog::new(bytes, age),
            heard: HashMap::new(),
            introductions: HashMap::new(),
            last_introduction: 0,
            reunited_at: None,
            mourning: Mourning::default(),
            pause: None,
        }
    }
}

impl<E: Entities> Router<E> {
    /// A lane wants a topic. It is told when that is in force, and before that from which numbers on what is published
    /// comes to it. Returns the change by which the topic was announced.
    pub(crate) fn subscribe(&self, topic: &Topic, lane: usize) -> u64 {
        let mut topics = lock(&self.topics);
        let subscription = topics.interest.subscribe(topic, lane);
        if let Some(change) = subscription.announce {
            // Under the lock, so that changes of one topic leave in their order.
            self.to_peers(&LinkMessage::Interest(change));
        }
        if let Some(lane) = self.lanes().get(lane) {
            let others = topics.heard.iter().map(|(node, heard)| (node, heard.number));
            for (node, number) in others.chain([(&self.me, topics.number)]) {
                let node = node.clone();
                if !topics.interest.is_unconfirmed(topic, &node) {
                    lane.tell(LaneMessage::Flows(Flow {
                        node: node.clone(),
                        topic: Some(topic.clone()),
                        after: number,
                    }));
                }
                lane.tell(LaneMessage::Heard { node, number });
            }
            if subscription.state == Subscribed::Now {
                lane.tell(LaneMessage::Subscribed {
                    topic: topic.clone(),
                    change: subscription.change,
                });
            }
        }
        subscription.change
    }

    /// Whether a node is this one, or has been a peer of it lately.
    pub(crate) fn has_met(&self, node: &NodeId) -> bool {
        *node == self.me || lock(&self.topics).heard.contains_key(node)
    }

    /// A peer knows that a topic is wanted.
    pub(super) fn interest_known(&self, peer: &NodeId, topic: &Topic, change: u64, after: u64) {
        let mut topics = lock(&self.topics);
        let Some(Confirmation { lanes, state }) = topics.interest.confirmed(peer, topic, change) else {
            return;
        };
        if topics.listens_to(peer)
            && let Some(heard) = topics.heard.get_mut(peer)
        {
            heard.reaches(after);
            self.to_lanes(lanes, || LaneMessage::Heard {
                node: peer.clone(),
                number: after,
            });
        }
        self.to_lanes(lanes, || {
            LaneMessage::Flows(Flow {
                node: peer.clone(),
                topic: Some(topic.clone()),
                after,
            })
        });
        if state == Subscribed::Now {
            let topic = topic.clone();
            self.to_lanes(lanes, || LaneMessage::Subscribed {
                topic: topic.clone(),
                change,
            });
        }
    }

    /// A peer wants a topic, or does not any more.
    pub(super) fn peer_wants(&self, peer: &NodeId, change: InterestChange) {
        let InterestChange {
            change,
            topic,
            wanted,
        } = change;
        let mut topics = lock(&self.topics);
        topics.interest.peer_wants(peer, topic.clone(), wanted);
        if wanted {
            // Under the lock, so that what follows the number follows this.
            let after = topics.number;
            self.to_peer(peer, &LinkMessage::InterestKnown { topic, change, after });
        }
    }

    pub(crate) fn unsubscribe(&self, topic: &Topic, lane: usize) {
        let mut topics = lock(&self.topics);
        if let Some(change) = topics.interest.unsubscribe(topic, lane) {
            self.to_peers(&LinkMessage::Interest(change));
        }
    }

    /// Publishes to all who want the topic, here and elsewhere; for an entity with that standby, if it is one's. Returns the
    /// nodes that it is sent to.
    pub(crate) fn publish(
        &self,
        topic: Topic,
        cause: u64,
        payload: E::Publication,
        standby: Option<NodeId>,
    ) -> Vec<NodeId> {
        let mut topics = lock(&self.topics);
        topics.number += 1;
        let number = topics.number;
        let peers = topics.interest.nodes(&topic).to_vec();
        // Who is away may come back, and is told what it missed when it has said what it wants.
        let anybody_away = topics.heard.values().any(|heard| !heard.has_wished);
        let publication = Publication {
            origin: self.me.clone(),
            number,
            topic,
            cause,
            payload,
        };
        if (!peers.is_empty() || anybody_away)
            && let Some(parcel) = pack(&publication)
        {
            // Under the lock, so that numbers leave in their order.
            let unsent = self.to_many(&peers, &LinkMessage::Publish(parcel.clone()));
            for peer in unsent {
                debug!(%peer, number, "a publication waits for a link");
            }
            topics.sent.push(parcel, standby, Instant::now());
        }
        let lanes = topics.interest.lanes(&publication.topic);
        if lanes != 0 {
            let publication = Arc::new(publication);
            self.to_lanes(lanes, || LaneMessage::Publication(publication.clone(), None));
        }
        peers
    }

    /// A lane did not run since then, and so nothing of this node did.
    pub(crate) fn paused(&self, since: Instant, now: Instant) {
        let mut topics = lock(&self.topics);
        let number = topics.number;
        Pause::notice(&mut topics.pause, since, now, number);
    }

    /// A peer has published something.
    pub(super) fn published(&self, peer: &NodeId, parcel: Parcel, credit: &Credit) {
        let publication = unpack(peer, &parcel);
        let mut topics = lock(&self.topics);
        if !topics.listens_to(peer) {
            debug!(origin = %peer, number = parcel.number, "a publication out of order");
            return;
        }
        if let Some(heard) = topics.heard.get_mut(peer) {
            heard.take(parcel);
        }
        self.hand_round(&topics, publication, credit);
    }

    /// Gives what another node has published to the lanes that want it: under the lock, so that what a lane is told of how
    /// far a node was heard follows what was heard.
    pub(super) fn hand_round(
        &self,
        topics: &Topics,
        publication: Option<Arc<Publication<E::Publication>>>,
        credit: &Credit,
    ) {
        if let Some(publication) = publication {
            self.to_lanes(topics.interest.lanes(&publication.topic), || {
                LaneMessage::Publication(publication.clone(), Some(credit.clone()))
            });
        }
    }
}

/// A publication as it travels; none, and that is logged, if it cannot be encoded.
pub(super) fn pack<P: Serialize>(publication: &Publication<P>) -> Option<Parcel> {
    let Publication {
        origin,
        number,
        topic,
        cause,
        payload,
    } = publication;
    // It is kept, and told to many.
    match wire::encode(WireVersion::broadcast(), payload) {
        Ok(payload) => Some(Parcel {
            number: *number,
            topic: topic.clone(),
            cause: *cause,
            payload,
        }),
        Err(error) => {
            error!(%origin, ?topic, number, %error, "a publication could not be encoded");
            None
        }
    }
}

/// Reads a publication as it travels; none, and that is logged, if it cannot be read.
pub(super) fn unpack<P: DeserializeOwned>(origin: &NodeId, parcel: &Parcel) -> Option<Arc<Publication<P>>> {
    let Parcel {
        number,
        topic,
        cause,
        payload,
    } = parcel;
    match wire::decode(payload) {
        Ok(payload) => Some(Arc::new(Publication {
            origin: origin.clone(),
            number: *number,
            topic: topic.clone(),
            cause: *cause,
            payload,
        })),
        Err(error) => {
            error!(%origin, ?topic, number, %error, "a publication cannot be read");
            None
        }
    }
}
