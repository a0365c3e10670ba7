//! What two nodes say to each other before they go on: what they want, and how far they have heard each other.

use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::{
    Router, lock, members_of,
    topics::{Heard, Introduced, Topics},
};
use crate::{
    ask::{Introduction, LinkMessage},
    entity::Entities,
    lane::{Flow, LaneMessage},
    member::{NodeId, View},
};

/// After a partition, how long is waited for others that were lost in it before anything moves. An entity that moves between
/// two nodes must not say in the new place what a third hears before it hears what was said in the old.
const GATHERING: Duration = Duration::from_secs(1);

impl<E: Entities> Router<E> {
    /// Says to a peer what this node wants and how far it has heard it.
    pub(super) fn introduce(&self, peer: &NodeId) {
        let placement = self.placement();
        self.introduce_with(&mut lock(&self.topics), peer, placement.view());
    }

    fn introduce_with(&self, topics: &mut Topics, peer: &NodeId, view: &View) {
        let wanted = topics.interest.link_up(peer);
        let it = topics.heard.get(peer);
        let (heard, counted_out) = (it.map(|it| it.number), it.map_or(0, |it| it.counted_out));
        let number = topics.number;
        topics.last_introduction += 1;
        let introduction = topics.last_introduction;
        topics
            .introductions
            .insert(peer.clone(), Introduced::Waiting(introduction));
        self.to_peer(
            peer,
            &LinkMessage::Introduction(Introduction {
                introduction,
                topics: wanted,
                number,
                heard,
                members: members_of(view),
                lanes: self.lanes().len() as u32,
                counted_out,
            }),
        );
    }

    /// A peer has taken notice of an introduction, and goes on after what it had published up to a number.
    pub(super) fn peer_continues(&self, peer: &NodeId, introduction: u64, after: u64) {
        let mut topics = lock(&self.topics);
        match topics.introductions.get_mut(peer) {
            Some(introduced) if *introduced == Introduced::Waiting(introduction) => {
                *introduced = Introduced::Continuing;
            }
            _ => return,
        }
        if let Some(heard) = topics.heard.get_mut(peer) {
            heard.reaches(after);
        }
        for lane in self.lanes() {
            let node = peer.clone();
            lane.tell(LaneMessage::Continues(node.clone()));
            lane.tell(LaneMessage::Heard {
                node: node.clone(),
                number: after,
            });
            let topic = None;
            lane.tell(LaneMessage::Flows(Flow { node, topic, after }));
        }
    }

    /// A peer has no link at present: it says again what it wants when it has one.
    pub(super) fn wishes_end(&self, peer: &NodeId) {
        let mut topics = lock(&self.topics);
        topics.introductions.remove(peer);
        if let Some(heard) = topics.heard.get_mut(peer) {
            heard.has_wished = false;
        }
    }

    /// A peer has said what it wants, and how far it has heard this node if there was a link before: the rest follows.
    pub(super) fn peer_introduced(&self, peer: &NodeId, introduction: Introduction) {
        let Introduction {
            introduction,
            topics: wanted,
            number,
            heard,
            lanes,
            counted_out,
            members: _,
        } = introduction;
        let mut topics = lock(&self.topics);
        let it = topics
            .heard
            .entry(peer.clone())
            .or_insert_with(|| Heard::up_to(number));
        it.has_wished = true;
        it.lanes = lanes.max(1);
        let has_taken_over = counted_out > std::mem::replace(&mut it.counted_me_out, counted_out);
        if has_taken_over {
            self.to_all_lanes(|| LaneMessage::CountedOut { by: peer.clone() });
        }
        if let Some(pause) = &mut topics.pause {
            pause.judged_by(peer, has_taken_over);
        }
        let after = heard.unwrap_or(topics.number);
        self.to_peer(peer, &LinkMessage::Continues { introduction, after });
        if let Some(heard) = heard {
            if !topics.sent.reaches_back_to(heard) {
                warn!(%peer, "the link was down for too long: some publications cannot be resent");
            }
            let mut withheld = 0;
            let missed = topics
                .sent
                .after_with_standbys(heard)
                .filter(|(parcel, _)| wanted.contains(&parcel.topic))
                .filter(|(parcel, standby)| {
                    let pause = topics.pause.as_ref();
                    let goes_on_elsewhere =
                        pause.is_some_and(|pause| pause.withholds(parcel.number, *standby, peer));
                    withheld += usize::from(goes_on_elsewhere);
                    !goes_on_elsewhere
                });
            let again = missed
                .filter(|(parcel, _)| self.to_peer(peer, &LinkMessage::Publish((*parcel).clone())))
                .count();
            if again > 0 {
                debug!(%peer, again, "publications are sent again that a cut link had lost");
            }
            if withheld > 0 {
                info!(%peer, withheld, "publications of before a pause are withheld: their sessions continue elsewhere without them");
            }
        }
        // Only now, so that what is published next comes after what was missed.
        topics.interest.introduced(peer, wanted);
    }

    /// Some who were gone are members again: they are asked for what came too late while they were not, before anybody here
    /// counts on having it. Says since when the first of them was gone.
    pub(super) fn welcome_back(&self, now: &View) -> Option<Instant> {
        let mut topics = lock(&self.topics);
        let mut back = Vec::new();
        for (node, heard) in &mut topics.heard {
            if now.member(node).is_some()
                && let Some(since) = heard.gone_since.take()
            {
                back.push((since, node.clone()));
            }
        }
        for (_, node) in back.iter().filter(|(_, node)| self.links.is_linked(node)) {
            self.introduce_with(&mut topics, node, now);
        }
        if !back.is_empty() {
            topics.reunited_at = Some(Instant::now());
        }
        back.into_iter().map(|(since, _)| since).min()
    }

    /// Whether nodes have just come back, and others may follow.
    pub(crate) fn is_gathering(&self, now: Instant) -> bool {
        let topics = lock(&self.topics);
        let is_recent = |at: Instant| now.saturating_duration_since(at) < GATHERING;
        topics.reunited_at.is_some_and(is_recent) && topics.heard.values().any(Heard::is_gone)
    }

    /// Whether a node that may have a link is not a member.
    pub(super) fn is_gone(&self, node: &NodeId) -> bool {
        lock(&self.topics).heard.get(node).is_some_and(Heard::is_gone)
    }
}
