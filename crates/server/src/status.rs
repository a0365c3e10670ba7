//! How a node is, for operators.

use hither_cluster::{Phase, Placement};
use serde::{Deserialize, Serialize};

use crate::{limits::Gate, sessions::Counters};

/// How a node is, and how it sees its cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub node: String,
    /// How far it is in its life.
    pub phase: Phase,
    /// The live members, as it sees them.
    pub members: Vec<MemberStatus>,
    /// Its sessions and sockets.
    pub sessions: SessionStatus,
    /// Who is let in, and who is not.
    pub clients: ClientStatus,
}

/// What a node counts of those who come to it; refusals since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientStatus {
    /// Connections now, WebSockets included, as far as whoever accepts them asks the [gate](crate::Gate).
    pub connections: u64,
    /// Refused because the node had too many connections, or too many sessions were being opened.
    pub refused_by_node: u64,
    /// Refused because their address had.
    pub refused_by_address: u64,
    /// Bodies refused because the node held too many bytes of them.
    pub refused_bodies: u64,
    /// Requests refused because a page of another origin sent them.
    pub refused_origins: u64,
}

/// A live member, as a node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// When it started, in milliseconds since the Unix epoch.
    pub incarnation: u64,
    /// How far it is in its life.
    pub phase: Phase,
    /// Where clients reach it.
    pub http: String,
    /// How many shards it owns.
    pub shards: usize,
}

/// What a node counts of its sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Sessions it owns now.
    pub owned: u64,
    /// WebSockets that landed on it and are open, whoever owns their sessions.
    pub attached: u64,
    /// Sessions of these that belong to another node, and are being handed off now.
    pub moving: u64,
    /// Sessions that were opened on it since it started.
    pub opened: u64,
    /// Sessions that came to it from other nodes.
    pub moved_in: u64,
    /// Sessions that went from it to other nodes.
    pub moved_out: u64,
    /// Sessions that live on there from a replica, for their owner died.
    pub revived: u64,
    /// Sockets that came back with all they had missed.
    pub recovered: u64,
    /// Packets it has put into sessions' outgoing buffers.
    pub frames: u64,
    /// Sessions it closed because their client did not take what it was sent.
    pub overflows: u64,
    /// Handlers that panicked on it.
    pub panics: u64,
    /// Times that a client had to wait because it spoke faster than it may.
    pub throttled: u64,
    /// Times that a session had to wait because a link to another node was congested.
    pub stalled: u64,
}

impl Status {
    pub(crate) fn of(placement: &Placement, counters: &Counters, moves: usize, gate: &Gate) -> Self {
        let view = placement.view();
        Self {
            node: view.me.name.to_string(),
            // A node is always in its own view.
            phase: view.member(&view.me).map_or(Phase::Leaving, |me| me.phase),
            members: MemberStatus::all(placement),
            sessions: SessionStatus::of(counters, moves),
            clients: gate.status(),
        }
    }
}

impl MemberStatus {
    /// All live members, by name.
    pub(crate) fn all(placement: &Placement) -> Vec<Self> {
        let members = placement.view().members.values();
        members
            .map(|member| Self {
                name: member.id.name.to_string(),
                incarnation: member.id.incarnation.0,
                phase: member.phase,
                http: member.http.to_string(),
                shards: placement.owned_by(&member.id),
            })
            .collect()
    }
}

impl SessionStatus {
    /// As the node itself counts; `moves` of its sessions belong elsewhere.
    pub(crate) fn of(counters: &Counters, moves: usize) -> Self {
        Self {
            owned: counters.sessions.get(),
            attached: counters.sockets.get(),
            moving: moves as u64,
            opened: counters.opened.get(),
            moved_in: counters.moved_in.get(),
            moved_out: counters.moved_out.get(),
            revived: counters.revived.get(),
            recovered: counters.recovered.get(),
            frames: counters.frames.get(),
            overflows: counters.overflows.get(),
            throttled: counters.throttled.get(),
            stalled: counters.stalled.get(),
            panics: counters.panics.get(),
        }
    }
}
