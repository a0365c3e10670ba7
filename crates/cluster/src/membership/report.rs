//! What an operator reads of members: one line each.

use tracing::info;

use super::roster::Departure;
use crate::member::{Member, Phase, View};

/// A member came, or went on to another phase.
pub(super) fn log_phase(member: &Member) {
    let Member {
        id,
        phase,
        http,
        gossip,
        link,
    } = member;
    let (node, incarnation) = (&id.name, id.incarnation.0);
    match phase {
        Phase::Joining => info!(%node, incarnation, %http, %gossip, %link, "member joining"),
        Phase::Up => info!(%node, incarnation, %http, %gossip, %link, "member up"),
        Phase::Leaving => info!(%node, incarnation, %http, %gossip, %link, "member leaving"),
    }
}

/// This node went on to another phase.
pub(super) fn log_own_phase(view: &View) {
    if let Some(me) = view.member(&view.me) {
        log_phase(me);
    }
}

/// A member is no longer there.
pub(super) fn log_departure(member: &Member, departure: Departure) {
    let Member {
        id,
        http,
        gossip,
        link,
        ..
    } = member;
    let (node, incarnation) = (&id.name, id.incarnation.0);
    match departure {
        Departure::Left => info!(%node, incarnation, %http, %gossip, %link, "member left"),
        Departure::Died(_) | Departure::Restarted => {
            info!(%node, incarnation, %http, %gossip, %link, reason = %departure, "member lost");
        }
    }
}
