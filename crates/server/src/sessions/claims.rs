//! Claims to the sockets of a session: refused if its client is there, else met when nothing is on its way here any more and
//! the session is at rest.

use std::time::{Duration, Instant};

use hither_engineio::{CloseReason, TransportName};
use tracing::info;

use super::{
    Sessions,
    env::{Env, Lane},
    session::Session,
};
use crate::request::{Claim, SessionReply};

/// Claims that may wait for one session: its client has one connection, and what comes with it.
const MAX_CLAIMS: usize = 4;

/// A claim that waits for the session to be at rest.
pub(crate) struct WaitingClaim {
    claim: Claim,
    pub(crate) reply: hither_cluster::ReplyTo<Sessions>,
    stage: ClaimStage,
}

/// How far a claim has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimStage {
    /// The session seems to have its client, which is sent a ping: an answer until then refuses the claim.
    Probing { until: Instant },
    /// What was published before has yet to come.
    Gathering,
    /// All of that is here.
    Passed,
}

/// How long a client whose socket is claimed by another connection may take to answer a ping, and so to keep its socket. A
/// connection that is half open is taken over after this time, which its client waits for.
const CLAIM_PROBE: Duration = Duration::from_secs(1);

impl Session {
    /// The socket is to go to the session that asks, once nothing is on its way here and the session is at rest.
    pub(crate) fn surrender_to(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        claim: Claim,
        reply: hither_cluster::ReplyTo<Sessions>,
    ) {
        if self.claimed(&claim).is_none() {
            return reply.send(SessionReply::Surrendered(None));
        }
        if self.claims.len() >= MAX_CLAIMS {
            return reply.send(SessionReply::Surrendered(None));
        }
        let stage = if self.engine.close_reason().is_none() && !self.is_dormant() {
            self.engine.ping_soon(lane.now());
            self.engine.tick(lane.now());
            // A client that polls and is there has a poll hanging, but for moments.
            let seems_gone =
                self.engine.transport() == Some(TransportName::Polling) && self.polling.hanging.is_none();
            let patience = if seems_gone { CLAIM_PROBE / 2 } else { CLAIM_PROBE };
            ClaimStage::Probing {
                until: lane.now() + patience,
            }
        } else {
            // Without its client, or about to be told where that is.
            self.engine.close(CloseReason::TransportClose);
            lane.barrier(&self.key);
            ClaimStage::Gathering
        };
        self.claims.push(WaitingClaim { claim, reply, stage });
        self.drive(env, lane);
    }

    /// The client has answered the ping: whoever else claims its sockets is not that client. Nothing else tells that it is
    /// there, for what it said before may have been long on its way.
    pub(super) fn refuse_claims_of_others(&mut self) {
        if self.claims.is_empty() || self.engine.close_reason().is_some() || self.engine.awaits_pong() {
            return;
        }
        let is_probing = |claim: &mut WaitingClaim| matches!(claim.stage, ClaimStage::Probing { .. });
        for refused in self.claims.extract_if(.., is_probing) {
            info!(session = %self.key, "claim on a socket whose client is connected; refused");
            refused.reply.send(SessionReply::Surrendered(None));
        }
    }

    /// When it is certain that the client does not answer.
    pub(super) fn claim_deadline(&self) -> Option<Instant> {
        let until = self.claims.iter().filter_map(|claim| match claim.stage {
            ClaimStage::Probing { until } => Some(until),
            ClaimStage::Gathering | ClaimStage::Passed => None,
        });
        until.min()
    }

    /// A client that does not answer is gone, though nobody has noticed.
    pub(super) fn expire_claim_probes(&mut self, now: Instant) {
        if self.claim_deadline().is_some_and(|until| until <= now) {
            self.engine.close(CloseReason::TransportClose);
        }
    }

    /// The node is gone at which the client's poll hung. If somebody claims its sockets, that is the client.
    pub(super) fn lost_with_node(&mut self) {
        if self.claim_deadline().is_some() {
            self.engine.close(CloseReason::TransportClose);
        }
    }

    /// The session is without its client: claims need no probe any more.
    pub(super) fn gather_for_claims(&mut self, lane: &mut Lane) {
        let mut gathers = false;
        for claim in &mut self.claims {
            if let ClaimStage::Probing { .. } = claim.stage {
                claim.stage = ClaimStage::Gathering;
                gathers = true;
            }
        }
        if gathers {
            lane.barrier(&self.key);
        }
    }

    /// Everything that was published before the claims were made has come.
    pub(crate) fn barrier_passed(&mut self, env: &mut Env, lane: &mut Lane) {
        for claim in &mut self.claims {
            if claim.stage == ClaimStage::Gathering {
                claim.stage = ClaimStage::Passed;
            }
        }
        self.drive(env, lane);
    }

    /// Gives the claimed sockets away, if the session is at rest. False when there is nothing to do now.
    pub(super) fn surrender(&mut self, env: &mut Env, lane: &mut Lane) -> bool {
        let is_passed = |claim: &WaitingClaim| claim.stage == ClaimStage::Passed;
        let Some(position) = self.claims.iter().position(is_passed) else {
            return false;
        };
        let WaitingClaim { claim, reply, .. } = self.claims.remove(position);
        let surrendered = self.pack(env, lane, &claim);
        if let Some(surrendered) = &surrendered {
            self.part_with(env, lane, &surrendered.socket.id().clone());
        }
        reply.send(SessionReply::Surrendered(surrendered.map(Box::new)));
        true
    }
}
