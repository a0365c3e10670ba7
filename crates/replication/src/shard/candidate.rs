//! A node that may have to become the holder asks the others first what they have.

use std::{collections::BTreeSet, time::Duration};

use super::context::Context;
use crate::{
    application::Application,
    ids::{Claim, NodeId, Position},
    message::{Custody, Holding, Replication},
    replica::Replica,
};

/// Asks every member what it holds, and decides by the answers.
pub(crate) struct Candidate<A: Application> {
    /// The claim by which it was standby of a holder that is dead. Without it, it is the target of a shard that nobody
    /// holds.
    right: Option<Claim>,
    former: Option<NodeId>,
    replica: Replica<A>,
    round: u64,
    stage: Stage,
    /// Who is no member here, and dead by what others say.
    reported_dead: BTreeSet<NodeId>,
    /// Since when it is known that nobody of the last pair has the shard.
    orphaned_since: Option<Duration>,
}

enum Stage {
    Asking {
        awaited: BTreeSet<NodeId>,
        asked: BTreeSet<NodeId>,
        answers: Answers,
    },
    /// Until the next round.
    Waiting(Duration),
    Fetching(NodeId),
}

#[derive(Default)]
struct Answers {
    /// Somebody may promote itself.
    is_claimed: bool,
    /// The best copy that somebody else has.
    copy: Option<(Position, NodeId)>,
    /// Who answered that it has no right to the shard.
    without_right: BTreeSet<NodeId>,
}

/// What comes of the asking.
pub(crate) enum Verdict<A: Application> {
    Undecided,
    /// It becomes the holder with this copy.
    Promote(Replica<A>),
}

impl<A: Application> Candidate<A> {
    pub(crate) fn new(right: Option<Claim>, former: Option<NodeId>, replica: Replica<A>) -> Self {
        Self {
            right,
            former,
            replica,
            round: 0,
            stage: Stage::Waiting(Duration::ZERO),
            reported_dead: BTreeSet::new(),
            orphaned_since: None,
        }
    }

    pub(crate) fn right(&self) -> Option<&Claim> {
        self.right.as_ref()
    }

    pub(crate) fn forfeit(&mut self) {
        self.right = None;
    }

    pub(crate) fn last(&self) -> Position {
        self.replica.last()
    }

    pub(crate) fn into_replica(self) -> Replica<A> {
        self.replica
    }

    /// Whether somebody is dead, as far as this node or one that it has asked can tell.
    pub(crate) fn has_lost(&self, ctx: &Context<'_, A>) -> bool {
        ctx.peers.lost().next().is_some() || self.reported_dead.iter().any(|node| self.is_dead(ctx, node))
    }

    /// When it must be woken, at the latest.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Waiting(until) => Some(until),
            Stage::Asking { .. } | Stage::Fetching(_) => None,
        }
    }

    /// When the lease is over that it gave to the dead holder, asks all members, and the pair of the highest claim heard of, whether they are members yet or not: only who is
    /// declared dead need not be asked.
    pub(crate) fn ask(&mut self, ctx: &mut Context<'_, A>, heard: Option<&Claim>, round: u64) {
        self.round = round;
        let given_until = self.right.as_ref().map(|right| ctx.leases.ends_at(&right.holder));
        if let Some(until) = given_until.filter(|until| *until > ctx.now) {
            self.stage = Stage::Waiting(until);
            return;
        }
        let pair = heard
            .into_iter()
            .flat_map(Claim::pair)
            .chain(self.former.as_ref());
        let asked: BTreeSet<NodeId> = ctx
            .peers
            .others()
            .chain(pair.filter(|node| **node != *ctx.me() && !self.is_dead(ctx, node)))
            .cloned()
            .collect();
        for node in &asked {
            self.inquire(ctx, node, heard);
        }
        self.stage = Stage::Asking {
            awaited: asked.clone(),
            asked,
            answers: Answers::default(),
        };
    }

    fn is_dead(&self, ctx: &Context<'_, A>, node: &NodeId) -> bool {
        let is_reported = self.reported_dead.contains(node) && !ctx.peers.is_member(node);
        ctx.peers.is_dead(node) || is_reported
    }

    fn inquire(&self, ctx: &mut Context<'_, A>, node: &NodeId, heard: Option<&Claim>) {
        let (round, heard) = (self.round, heard.cloned());
        ctx.send(node, Custody::Inquire { round, heard });
    }

    /// Whether it must ask everybody again: the members are not those that it asked.
    pub(crate) fn is_outdated(&self, ctx: &Context<'_, A>) -> bool {
        match &self.stage {
            Stage::Asking { asked, .. } => {
                asked.iter().any(|node| ctx.peers.is_dead(node))
                    || ctx.peers.others().any(|node| !asked.contains(node))
            }
            Stage::Fetching(node) => ctx.peers.is_dead(node),
            Stage::Waiting(_) => true,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    /// The link to `peer` may have lost what was sent.
    pub(crate) fn repeat(&self, ctx: &mut Context<'_, A>, peer: &NodeId, heard: Option<&Claim>) {
        match &self.stage {
            Stage::Asking { awaited, .. } if awaited.contains(peer) => self.inquire(ctx, peer, heard),
            Stage::Fetching(node) if node == peer => ctx.send(peer, Replication::Fetch { round: self.round }),
            _ => {}
        }
    }

    /// Notes what a node has. That somebody holds the shard is not for a candidate to hear: then it is none any more.
    pub(crate) fn note(
        &mut self,
        ctx: &Context<'_, A>,
        from: &NodeId,
        round: u64,
        holding: &Holding,
        dead: Vec<NodeId>,
    ) {
        self.reported_dead
            .extend(dead.into_iter().filter(|node| !ctx.peers.is_member(node)));
        let Stage::Asking { awaited, answers, .. } = &mut self.stage else {
            return;
        };
        if round != self.round || !awaited.remove(from) {
            return;
        }
        match holding {
            Holding::Holds(_) => {}
            Holding::MayPromote => answers.is_claimed = true,
            Holding::Copy(last) => {
                answers.without_right.insert(from.clone());
                if answers.copy.as_ref().is_none_or(|(best, _)| best < last) {
                    answers.copy = Some((*last, from.clone()));
                }
            }
            Holding::Nothing => {
                answers.without_right.insert(from.clone());
            }
        }
    }

    /// Decides, once all have answered.
    pub(crate) fn decide(&mut self, ctx: &mut Context<'_, A>, heard: Option<&Claim>) -> Verdict<A> {
        let Stage::Asking { awaited, answers, .. } = &mut self.stage else {
            return Verdict::Undecided;
        };
        awaited.retain(|node| ctx.peers.is_member(node) || !self.reported_dead.contains(node));
        if !awaited.is_empty() {
            return Verdict::Undecided;
        }
        let answers = std::mem::take(answers);
        if self.right.is_some() {
            return Verdict::Promote(std::mem::take(&mut self.replica));
        }
        let is_out = |node: &NodeId| {
            node == ctx.me() || self.is_dead(ctx, node) || answers.without_right.contains(node)
        };
        let is_orphan = !answers.is_claimed && heard.is_none_or(|claim| claim.pair().all(is_out));
        if !is_orphan {
            self.orphaned_since = None;
            return self.wait(ctx);
        }
        let since = *self.orphaned_since.get_or_insert(ctx.now);
        let is_new = heard.is_none() && answers.copy.is_none() && self.last() == Position::START;
        if !is_new && ctx.now < since + ctx.settings.orphan_timeout {
            return self.wait(ctx);
        }
        match answers.copy {
            Some((last, node)) if self.last() < last => {
                ctx.send(&node, Replication::Fetch { round: self.round });
                self.stage = Stage::Fetching(node);
                Verdict::Undecided
            }
            _ => Verdict::Promote(std::mem::take(&mut self.replica)),
        }
    }

    fn wait(&mut self, ctx: &Context<'_, A>) -> Verdict<A> {
        self.stage = Stage::Waiting(ctx.now + ctx.settings.retry);
        Verdict::Undecided
    }

    /// The best copy has come.
    pub(crate) fn fetched(&mut self, from: &NodeId, round: u64, replica: Replica<A>) -> Verdict<A> {
        match &self.stage {
            Stage::Fetching(node) if node == from && round == self.round => Verdict::Promote(replica),
            _ => Verdict::Undecided,
        }
    }
}
