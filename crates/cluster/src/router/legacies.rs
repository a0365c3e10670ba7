//! What those who stay tell each other of a node that is gone; see [`Mourning`](super::mourning::Mourning).

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tracing::warn;

use super::{
    Router, lock,
    topics::{Heard, Topics, unpack},
};
use crate::{
    ask::LinkMessage,
    backlog::Parcel,
    entity::Entities,
    lane::LaneMessage,
    links::Credit,
    member::{NodeId, View},
};

/// How long a node that is gone is remembered: longer than a partition that leaves no hole in the backlogs.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

impl<E: Entities> Router<E> {
    /// Some members are gone: those who stay tell each other how far they had heard them.
    pub(super) fn mourn_the_gone(&self, before: &View, now: &View) {
        let mut topics = lock(&self.topics);
        let at = Instant::now();
        for gone in before.others().filter(|member| now.member(&member.id).is_none()) {
            self.mourn(&mut topics, &gone.id, now, at);
        }
        topics.mourning.members_changed(|node| now.member(node).is_some());
        topics.heard.retain(|_, heard| {
            heard
                .gone_since
                .is_none_or(|gone_since| at.duration_since(gone_since) < REMEMBERED_FOR)
        });
    }

    /// Whether what others heard of a node that is gone may still be on its way here.
    pub(crate) fn mourns(&self, node: &NodeId) -> bool {
        lock(&self.topics).mourning.contains(node)
    }

    fn mourn(&self, topics: &mut Topics, gone: &NodeId, now: &View, at: Instant) {
        topics.interest.forget(gone);
        let Some(heard) = topics.heard.get_mut(gone) else {
            return;
        };
        heard.gone_since.get_or_insert(at);
        heard.has_wished = false;
        let number = heard.number;
        let survivors = now.others().map(|member| member.id.clone());
        let survivors = survivors.filter(|node| topics.heard.contains_key(node));
        let survivors: HashSet<NodeId> = survivors.collect();
        let early = topics.mourning.begin(gone, survivors, at);
        self.to_peers(&LinkMessage::Heard {
            origin: gone.clone(),
            number,
        });
        for (peer, number) in early {
            self.tell_legacy(topics, &peer, gone, number);
        }
    }

    /// A peer has heard a node, which it takes for gone, up to this number.
    pub(super) fn peer_heard(&self, peer: &NodeId, origin: NodeId, number: u64) {
        let mut topics = lock(&self.topics);
        if topics.heard.get(&origin).is_some_and(|heard| !heard.is_gone()) {
            topics.mourning.spoke_early(origin, peer.clone(), number);
        } else {
            self.tell_legacy(&topics, peer, &origin, number);
        }
    }

    /// Tells a peer what this node has heard more of a node that is gone.
    fn tell_legacy(&self, topics: &Topics, peer: &NodeId, origin: &NodeId, number: u64) {
        if let Some(heard) = topics.heard.get(origin) {
            for parcel in heard.backlog.after(number) {
                self.to_peer(
                    peer,
                    &LinkMessage::Legacy {
                        origin: origin.clone(),
                        parcel: parcel.clone(),
                    },
                );
            }
        }
        self.to_peer(
            peer,
            &LinkMessage::LegacyTold {
                origin: origin.clone(),
            },
        );
    }

    /// A peer has told all that it had heard more of a node that is gone.
    pub(super) fn legacy_told(&self, peer: &NodeId, origin: &NodeId) {
        let mut topics = lock(&self.topics);
        topics.mourning.told(origin, peer);
        self.tell_who_is_mourned(&mut topics, Instant::now());
    }

    /// A peer passes on what a node that is gone had published.
    pub(super) fn legacy(&self, origin: &NodeId, parcel: Parcel, credit: &Credit) {
        let publication = unpack(origin, &parcel);
        let mut topics = lock(&self.topics);
        match topics.heard.get_mut(origin) {
            Some(heard) if heard.number < parcel.number => heard.take(parcel),
            _ => return,
        }
        self.hand_round(&topics, publication, credit);
    }

    /// A peer has a link: it is told again what it may not have heard.
    pub(super) fn mourn_with(&self, peer: &NodeId) {
        let topics = lock(&self.topics);
        for origin in topics.mourning.waiting_for(peer) {
            if let Some(heard) = topics.heard.get(origin) {
                let (origin, number) = (origin.clone(), heard.number);
                self.to_peer(peer, &LinkMessage::Heard { origin, number });
            }
        }
    }

    /// Time has passed: nobody is waited for without end.
    pub(crate) fn tick(&self, now: Instant) {
        self.tell_who_is_mourned(&mut lock(&self.topics), now);
    }

    fn tell_who_is_mourned(&self, topics: &mut Topics, now: Instant) {
        for (dead, silent) in topics.mourning.over(now) {
            if !silent.is_empty() {
                warn!(node = %dead, ?silent, "some nodes did not answer what they have of a lost node; continuing without");
            }
            let Some(heard) = topics.heard.get_mut(&dead).filter(|heard| heard.is_gone()) else {
                // It is back.
                continue;
            };
            // Only now do its entities live on elsewhere: if it comes back before, it goes on with them.
            heard.counted_out += 1;
            self.to_all_lanes(|| LaneMessage::Mourned(dead.clone()));
        }
    }

    /// Whether a node is gone and its entities live on elsewhere.
    pub(crate) fn is_mourned(&self, node: &NodeId) -> bool {
        let topics = lock(&self.topics);
        topics.heard.get(node).is_some_and(Heard::is_gone) && !topics.mourning.contains(node)
    }
}
