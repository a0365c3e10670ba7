//! The router's part in pub/sub: who wants what, publishing, and making up for what links lost.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{debug, error, warn};

use super::{Router, lock, members_of};
use crate::{
    ask::LinkMessage,
    backlog::{Backlog, Parcel},
    entity::Entities,
    lane::LaneMessage,
    links::Credit,
    member::{NodeId, View},
    topic::{Interest, Publication, Subscribed, Topic},
    wire,
};

/// What this node keeps of its own publications, for peers whose link is cut: as long as lanes keep their logs.
const OWN_BACKLOG: (usize, Duration) = (8 << 20, Duration::from_secs(120));
/// What this node keeps of each other node's, in case that dies before it has told everybody: what can be under way.
const OTHERS_BACKLOG: (usize, Duration) = (1 << 20, Duration::from_secs(10));

/// How long a node that is gone is remembered: longer than a partition that leaves no hole in the backlogs.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// Who wants what, and what was published.
pub(super) struct Topics {
    pub(super) interest: Interest,
    /// The number of this node's last publication.
    number: u64,
    sent: Backlog,
    /// What was heard of each other node.
    heard: HashMap<NodeId, Heard>,
}

struct Heard {
    /// The number of the last publication that could have come.
    number: u64,
    backlog: Backlog,
    /// Since when it is no member.
    gone_since: Option<Instant>,
}

impl Heard {
    fn up_to(number: u64) -> Self {
        let (bytes, age) = OTHERS_BACKLOG;
        Self {
            number,
            backlog: Backlog::new(bytes, age),
            gone_since: None,
        }
    }

    fn take(&mut self, parcel: Parcel) {
        self.number = self.number.max(parcel.number);
        self.backlog.push(parcel, Instant::now());
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
        }
    }
}

impl<E: Entities> Router<E> {
    pub(crate) fn subscribe(&self, topic: &Topic, lane: usize) -> Subscribed {
        let mut topics = lock(&self.topics);
        let subscription = topics.interest.subscribe(topic, lane);
        if let Some(change) = subscription.announce {
            // Under the lock, so that changes of one topic leave in their order.
            self.to_peers(&LinkMessage::Interest(change));
        }
        subscription.state
    }

    pub(crate) fn unsubscribe(&self, topic: &Topic, lane: usize) {
        let mut topics = lock(&self.topics);
        if let Some(change) = topics.interest.unsubscribe(topic, lane) {
            self.to_peers(&LinkMessage::Interest(change));
        }
    }

    /// Publishes to all who want the topic, here and elsewhere.
    pub(crate) fn publish(&self, topic: Topic, cause: u64, payload: E::Publication) {
        let mut topics = lock(&self.topics);
        topics.number += 1;
        let number = topics.number;
        let peers = topics.interest.nodes(&topic).to_vec();
        // Who is away may come back, and is then told what it missed.
        let anybody_away = topics.heard.values().any(|heard| heard.gone_since.is_some());
        if !peers.is_empty() || anybody_away {
            match wire::encode(&payload) {
                Ok(payload) => {
                    let parcel = Parcel {
                        number,
                        topic: topic.clone(),
                        cause,
                        payload,
                    };
                    match wire::encode(&LinkMessage::Publish(parcel.clone())) {
                        // Under the lock, so that numbers leave in their order.
                        Ok(message) => peers.iter().for_each(|peer| {
                            if !self.send(peer, message.clone()) {
                                debug!(%peer, number, "a publication waits for a link");
                            }
                        }),
                        Err(error) => error!(?topic, number, %error, "a publication could not be encoded"),
                    }
                    topics.sent.push(parcel, Instant::now());
                }
                Err(error) => error!(?topic, number, %error, "a publication could not be encoded"),
            }
        }
        let lanes = topics.interest.lanes(&topic);
        if lanes != 0 {
            let origin = self.me.clone();
            let publication = Arc::new(Publication {
                origin,
                number,
                topic,
                cause,
                payload,
            });
            self.to_lanes(lanes, || LaneMessage::Publication(publication.clone(), None));
        }
    }

    /// A peer has published something.
    pub(super) fn published(&self, peer: &NodeId, parcel: Parcel, credit: &Credit) {
        let mut topics = lock(&self.topics);
        let lanes = topics.interest.lanes(&parcel.topic);
        let heard = topics
            .heard
            .entry(peer.clone())
            .or_insert_with(|| Heard::up_to(0));
        heard.take(parcel.clone());
        drop(topics);
        self.hand_round(peer, parcel, lanes, credit);
    }

    /// A peer passes on what a node that is gone had published.
    pub(super) fn relayed(&self, origin: &NodeId, parcel: Parcel, credit: &Credit) {
        let mut topics = lock(&self.topics);
        let lanes = topics.interest.lanes(&parcel.topic);
        match topics.heard.get_mut(origin) {
            Some(heard) if heard.number < parcel.number => heard.take(parcel.clone()),
            _ => return,
        }
        drop(topics);
        self.hand_round(origin, parcel, lanes, credit);
    }

    fn hand_round(&self, origin: &NodeId, parcel: Parcel, lanes: u64, credit: &Credit) {
        let Parcel {
            number,
            topic,
            cause,
            payload,
        } = parcel;
        match wire::decode(&payload) {
            Ok(payload) => {
                let publication = Arc::new(Publication {
                    origin: origin.clone(),
                    number,
                    topic,
                    cause,
                    payload,
                });
                self.to_lanes(lanes, || {
                    LaneMessage::Publication(publication.clone(), Some(credit.clone()))
                });
            }
            Err(error) => error!(%origin, ?topic, number, %error, "a publication cannot be read"),
        }
    }

    /// Says to a peer what this node wants and how far it has heard it.
    pub(super) fn introduce(&self, peer: &NodeId) {
        let mut topics = lock(&self.topics);
        let wanted = topics.interest.link_up(peer);
        let heard = topics.heard.get(peer).map(|heard| heard.number);
        let members = members_of(self.placement().view());
        let number = topics.number;
        self.to_peer(
            peer,
            &LinkMessage::Introduction {
                topics: wanted,
                number,
                heard,
                members,
            },
        );
    }

    /// A peer has said what it wants, and how far it has heard this node if there was a link before: the rest follows.
    pub(super) fn peer_introduced(&self, peer: &NodeId, wanted: Vec<Topic>, number: u64, heard: Option<u64>) {
        let mut topics = lock(&self.topics);
        topics
            .heard
            .entry(peer.clone())
            .or_insert_with(|| Heard::up_to(number));
        if let Some(heard) = heard {
            if !topics.sent.reaches_back_to(heard) {
                warn!(%peer, "the link was cut for too long: some publications cannot be sent again");
            }
            let missed = topics
                .sent
                .after(heard)
                .filter(|parcel| wanted.contains(&parcel.topic));
            let again = missed
                .filter(|parcel| self.to_peer(peer, &LinkMessage::Publish((*parcel).clone())))
                .count();
            if again > 0 {
                debug!(%peer, again, "publications are sent again that a cut link had lost");
            }
        }
        // Only now, so that what is published next comes after what was missed.
        topics.interest.introduced(peer, wanted);
    }

    /// Some members are gone: those who stay tell each other how far they had heard them.
    pub(super) fn members_gone(&self, before: &View, now: &View) {
        for gone in before.others().filter(|member| now.member(&member.id).is_none()) {
            let mut topics = lock(&self.topics);
            topics.interest.forget(&gone.id);
            let number = topics.heard.get(&gone.id).map(|heard| heard.number);
            drop(topics);
            if let Some(number) = number {
                self.to_peers(&LinkMessage::Heard {
                    origin: gone.id.clone(),
                    number,
                });
            }
        }
        let at = Instant::now();
        lock(&self.topics).heard.retain(|node, heard| {
            if now.member(node).is_some() {
                heard.gone_since = None;
            } else {
                heard.gone_since.get_or_insert(at);
            }
            heard
                .gone_since
                .is_none_or(|gone_since| at.duration_since(gone_since) < REMEMBERED_FOR)
        });
    }

    /// A peer has heard a node that is gone up to this number: it is told what this node has heard more.
    pub(super) fn relay(&self, peer: &NodeId, origin: &NodeId, number: u64) {
        let topics = lock(&self.topics);
        let Some(heard) = topics.heard.get(origin) else {
            return;
        };
        for parcel in heard.backlog.after(number) {
            self.to_peer(
                peer,
                &LinkMessage::Relay {
                    origin: origin.clone(),
                    parcel: parcel.clone(),
                },
            );
        }
    }
}
