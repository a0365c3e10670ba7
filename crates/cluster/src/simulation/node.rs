//! A simulated node.

use std::time::Instant;

use super::{lane::Lane, router::Router, rules::Rules};
use crate::{
    log::LogLimits,
    member::{Member, NodeId, Phase, View},
    shard::ShardCount,
};

pub(super) struct Node {
    pub(super) router: Router,
    pub(super) lane: Lane,
}

/// A member as all see it who see it.
pub(super) fn member(id: &NodeId, phase: Phase) -> Member {
    let address = (std::net::Ipv4Addr::LOCALHOST, 1).into();
    Member {
        id: id.clone(),
        phase,
        http: address,
        gossip: address,
        link: address,
    }
}

impl Node {
    pub(super) fn new(
        view: View,
        shards: ShardCount,
        rules: Rules,
        moves_in_flight: usize,
        now: Instant,
    ) -> Self {
        let limits = LogLimits {
            bytes: rules.log.unwrap_or(usize::MAX),
            ..LogLimits::default()
        };
        let router = Router::new(view, shards);
        let lane = Lane::new(router.placement.clone(), rules, moves_in_flight, limits, now);
        Self { router, lane }
    }

    /// The lane handles the first message of its mailbox.
    pub(super) fn turn(&mut self, step: u64, now: Instant) {
        if let Some(message) = self.router.mailbox.pop_front() {
            self.lane.turn(&mut self.router, message, step, now);
        }
    }

    /// Takes note of how far a member is, or that it is none.
    pub(super) fn learn(&mut self, about: &NodeId, phase: Option<Phase>, now: Instant) {
        let mut view = (**self.router.placement.view()).clone();
        match phase {
            Some(phase) => drop(view.members.insert(about.name.clone(), member(about, phase))),
            None => drop(view.members.remove(&about.name)),
        }
        self.router.placed(view, now);
    }

    /// What this node is in its own eyes.
    pub(super) fn become_phase(&mut self, phase: Phase, now: Instant) {
        self.router.phase = phase;
        let me = self.router.me.clone();
        self.learn(&me, Some(phase), now);
    }
}
