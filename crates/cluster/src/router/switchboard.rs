//! What comes over links, and to whom it goes.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use tracing::{debug, error, warn};

use super::{Router, lock};
use crate::{
    ask::{LinkMessage, Refusal, ReplicaUpdate},
    entity::{Entities, ReplyTo},
    lane::{HistoryWant, LaneMessage},
    links::{Channel, Credit, LinkDown, LinkEvents},
    member::NodeId,
    membership::Membership,
    replicated::{TopicLinks, Unexpected},
    shard::Key,
    wire::{self, WireError},
};

impl<E: Entities> Router<E> {
    fn handle(self: &Arc<Self>, peer: &NodeId, message: LinkMessage, credit: &Credit) {
        match message {
            LinkMessage::Ask { id, key, ask } => {
                let reply = ReplyTo::there(self.clone(), peer.clone(), id, credit.link());
                if self.is_gone(peer) {
                    // It sees other members than this node, and another owner.
                    return reply.answer(Err(Refusal::NotOwner));
                }
                match wire::decode(&ask) {
                    Ok(ask) => {
                        let hold = Some(credit.clone());
                        self.to_lane(
                            &key,
                            LaneMessage::Ask {
                                key: key.clone(),
                                ask,
                                reply,
                                hold,
                            },
                        );
                    }
                    Err(error) => error!(%peer, %key, %error, "a request from another node cannot be read"),
                }
            }
            LinkMessage::Answer { id, answer } => self.answered(peer, id, answer),
            LinkMessage::Direct(bytes) => match wire::decode::<E::Direct>(&bytes) {
                Ok(direct) => self.to_lanes_of(peer, direct, credit),
                Err(error) => error!(%peer, %error, "a message between lanes cannot be read"),
            },
            LinkMessage::Publish(parcel) => self.published(peer, parcel, credit),
            LinkMessage::Legacy { origin, parcel } => self.legacy(&origin, parcel, credit),
            LinkMessage::Heard { origin, number } => self.peer_heard(peer, origin, number),
            LinkMessage::LegacyTold { origin } => self.legacy_told(peer, &origin),
            LinkMessage::Members(members) => {
                self.introduced
                    .send_if_modified(|introduced| match introduced.get_mut(peer) {
                        Some(known) if *known != members => {
                            *known = members;
                            true
                        }
                        _ => false,
                    });
            }
            LinkMessage::Continues { introduction, after } => {
                self.peer_continues(peer, introduction, after);
            }
            LinkMessage::Introduction(introduction) => {
                let members = introduction.members.clone();
                self.peer_introduced(peer, introduction);
                self.introduced
                    .send_modify(|introduced| drop(introduced.insert(peer.clone(), members)));
                self.to_all_lanes(|| LaneMessage::Introduced(peer.clone()));
            }
            LinkMessage::Interest(change) => self.peer_wants(peer, change),
            LinkMessage::InterestKnown { topic, change, after } => {
                self.interest_known(peer, &topic, change, after)
            }
            LinkMessage::Barrier { lane, barrier } => self.pass(peer, lane, barrier),
            LinkMessage::Passed {
                lane,
                barrier,
                number,
            } => self.peer_passed(peer, lane as usize, barrier, number),
            LinkMessage::HistoryWanted { key, topic, lane } => {
                let node = peer.clone();
                self.to_lane(
                    &key,
                    LaneMessage::HistoryWanted(HistoryWant { node, lane, topic }),
                );
            }
            LinkMessage::History {
                lane,
                from_lane,
                topic,
                forgotten,
                is_whole,
                publications,
            } => {
                let history = self.read_history(topic, forgotten, is_whole, publications);
                self.history_told(peer, lane, from_lane, history, Some(credit.clone()));
            }
            LinkMessage::Trace(part) => {
                if !lock(&self.traces).extend(peer, part) {
                    warn!(%peer, "part of a lane's trace is missing; its clients may not be recovered if it fails");
                }
            }
            LinkMessage::Replica { key, update } => match update.map(read_update::<E>).transpose() {
                Ok(update) => {
                    let (owner, hold) = (peer.clone(), credit.clone());
                    self.to_lane(
                        &key.clone(),
                        LaneMessage::Replica {
                            key,
                            owner,
                            update,
                            hold,
                        },
                    );
                }
                Err(error) => error!(%peer, %key, %error, "a replica cannot be read"),
            },
            LinkMessage::ReplicasKept { class, keys } => {
                let keys: Arc<HashSet<Key>> = Arc::new(keys.into_iter().collect());
                self.to_all_lanes(|| LaneMessage::ReplicasKept {
                    owner: peer.clone(),
                    class,
                    keys: keys.clone(),
                });
            }
            LinkMessage::Settled { fingerprint } => {
                let mut settlement = lock(&self.settlement);
                settlement.peer_done(peer.clone(), fingerprint);
                self.tell_if_settled(&settlement);
            }
        }
    }
}

fn read_update<E: Entities>(
    update: ReplicaUpdate<Bytes, Bytes>,
) -> Result<ReplicaUpdate<E::Snapshot, E::Delta>, WireError> {
    update.try_map(|snapshot| wire::decode(&snapshot), |delta| wire::decode(&delta))
}

/// The router as links know it.
pub(crate) struct Switchboard<E: Entities> {
    pub(crate) router: Arc<Router<E>>,
    /// Weak, for whoever ends the node owns the membership.
    pub(crate) membership: Weak<Membership>,
    /// What links have to do with replicated topics, if this node has such.
    pub(crate) topics: Option<TopicLinks>,
    pub(crate) unexpected: Unexpected,
}

impl<E: Entities> LinkEvents for Switchboard<E> {
    fn link_up(&self, peer: &NodeId) {
        let router = &self.router;
        router.introduce(peer);
        router.mourn_with(peer);
        if let Some(fingerprint) = lock(&router.settlement).announced() {
            router.to_peer(peer, &LinkMessage::Settled { fingerprint });
        }
        router.to_all_lanes(|| LaneMessage::LinkUp(peer.clone()));
        if let Some(topics) = &self.topics {
            topics.link_up(peer);
        }
    }

    fn received(&self, peer: &NodeId, channel: Channel, messages: Vec<Bytes>, credit: Credit) {
        if channel == Channel::Replication {
            return match &self.topics {
                Some(topics) => topics.received(peer, messages, credit),
                None => self.unexpected.note(peer),
            };
        }
        for message in messages {
            match wire::decode(&message) {
                Ok(message) => self.router.handle(peer, message, &credit),
                Err(error) => error!(%peer, %error, "a message from another node cannot be read"),
            }
        }
    }

    fn link_down(&self, peer: &NodeId, reason: &LinkDown) {
        let router = &self.router;
        debug!(%peer, %reason, "requests under way are asked again");
        router
            .introduced
            .send_if_modified(|introduced| introduced.remove(peer).is_some());
        lock(&router.asks).retain(|_, pending| pending.peer != *peer);
        lock(&router.settlement).peer_down(peer);
        router.wishes_end(peer);
        for (topic, change, lanes) in lock(&router.topics).interest.link_down(peer) {
            router.to_lanes(lanes, || LaneMessage::Subscribed {
                topic: topic.clone(),
                change,
            });
        }
        router.to_all_lanes(|| LaneMessage::LinkDown(peer.clone()));
        if let Some(topics) = &self.topics {
            topics.link_down(peer);
        }
        if let Some(membership) = self.membership.upgrade() {
            membership.suspect(peer);
        }
    }
}
