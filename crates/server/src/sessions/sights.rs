//! What lanes say of their sessions to a census.

use std::collections::{BTreeMap, HashMap};

use hither_cluster::NodeName;
use hither_engineio::TransportName;
use serde::{Deserialize, Serialize};

use super::{
    Sessions,
    env::{Lane, Slot},
    session::Session,
};
use crate::{
    census::{SessionSight, SessionTag},
    status::SessionStatus,
};

/// Sessions of some lanes, and what the nodes of these lanes count.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sights {
    sessions: Vec<SessionSight>,
    /// A lane left out sessions, all with tags higher than this.
    cut: Option<SessionTag>,
    pub(crate) nodes: BTreeMap<NodeName, SessionStatus>,
}

impl Sights {
    /// Takes in what another lane says.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.cut = self.cut.into_iter().chain(other.cut).min();
        self.nodes.extend(other.nodes);
    }

    /// The sessions with the lowest tags of all, at most so many, in the order of their tags.
    pub(crate) fn sample(self, limit: usize) -> Vec<SessionSight> {
        let mut by_tag: HashMap<SessionTag, SessionSight> = HashMap::new();
        // What lies above the lowest cut would show only some lanes' sessions, which come and go as they move.
        let kept = |sight: &SessionSight| self.cut.is_none_or(|cut| sight.tag <= cut);
        for sight in self.sessions.into_iter().filter(kept) {
            // A session on its way is seen twice: the copy that acts is the session.
            let twin = by_tag.get(&sight.tag);
            if !(sight.frozen && twin.is_some()) {
                by_tag.insert(sight.tag, sight);
            }
        }
        let mut sample: Vec<SessionSight> = by_tag.into_values().collect();
        sample.sort_by_key(|sight| sight.tag);
        sample.truncate(limit);
        sample
    }
}

impl Sessions {
    /// The sessions of this lane with the lowest tags, at most so many.
    pub(super) fn sights(&self, lane: &Lane, limit: usize) -> Sights {
        let mut tags: Vec<(SessionTag, Slot)> = Vec::new();
        if limit > 0 {
            let session_tag = |(slot, session): (Slot, &Session)| (SessionTag::of(&session.key), slot);
            tags.extend(self.slots.iter().map(session_tag));
        }
        let mut cut = None;
        if tags.len() > limit {
            tags.select_nth_unstable(limit);
            tags.truncate(limit);
            cut = tags.iter().map(|(tag, _)| *tag).max();
        }
        let sight = |(tag, slot)| Some(self.slots.get(slot)?.sight(tag, lane));
        let status = SessionStatus::of(&self.env.shared.counters, lane.cluster().moves_left());
        Sights {
            sessions: tags.into_iter().filter_map(sight).collect(),
            cut,
            nodes: [(lane.node().name.clone(), status)].into(),
        }
    }
}

impl Session {
    fn sight(&self, tag: SessionTag, lane: &Lane) -> SessionSight {
        let here = lane.node();
        let connected = self.engine.close_reason().is_none();
        let transport = self.engine.transport().filter(|_| connected);
        let ingress = match (transport, &self.socket, &self.polling.hanging) {
            (Some(TransportName::WebSocket), Some(socket), _) => &socket.address.ingress.name,
            (Some(TransportName::Polling), _, Some(poll)) => &poll.reply.peer().unwrap_or(here).name,
            _ => self.handshake.ingress().unwrap_or(&here.name),
        };
        SessionSight {
            tag,
            owner: here.name.clone(),
            ingress: ingress.clone(),
            transport,
            frozen: self.frozen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(tag: u64, owner: &str, frozen: bool) -> SessionSight {
        SessionSight {
            tag: serde_json::from_value(tag.into()).unwrap(),
            owner: owner.parse().unwrap(),
            ingress: owner.parse().unwrap(),
            transport: None,
            frozen,
        }
    }

    fn lane<const N: usize>(sights: [SessionSight; N], cut: Option<u64>) -> Sights {
        Sights {
            sessions: sights.into(),
            cut: cut.map(|tag| sight(tag, "a", false).tag),
            nodes: BTreeMap::new(),
        }
    }

    fn sampled(lanes: impl IntoIterator<Item = Sights>, limit: usize) -> Vec<SessionSight> {
        let mut all = Sights::default();
        lanes.into_iter().for_each(|lane| all.absorb(lane));
        all.sample(limit)
    }

    #[test]
    fn the_lowest_tags_of_all_are_the_sample() {
        let lanes = [
            lane([sight(9, "a", false), sight(1, "a", false)], None),
            lane([sight(5, "b", false)], None),
        ];
        assert_eq!(sampled(lanes, 2), [sight(1, "a", false), sight(5, "b", false)]);
    }

    #[test]
    fn above_the_lowest_cut_nothing_is_shown_of_any_lane() {
        let lanes = [
            lane([sight(1, "a", false), sight(4, "a", false)], Some(4)),
            lane([sight(3, "b", false), sight(8, "b", false)], Some(8)),
            lane([sight(6, "c", false)], None),
        ];
        let tags: Vec<_> = sampled(lanes, 10).into_iter().map(|sight| sight.tag).collect();
        assert_eq!(tags, [1, 3, 4].map(|tag| sight(tag, "a", false).tag));
    }

    #[test]
    fn of_a_session_on_its_way_the_copy_that_acts_counts() {
        let (old, new) = (sight(1, "a", true), sight(1, "b", false));
        for order in [[&old, &new], [&new, &old]] {
            let lanes = order.map(|sight| lane([sight.clone()], None));
            let sample = sampled(lanes, 10);
            assert_eq!(sample.iter().collect::<Vec<_>>(), [&new]);
        }
        let alone = sampled([lane([old.clone()], None)], 10);
        assert_eq!(alone.iter().collect::<Vec<_>>(), [&old]);
    }
}
