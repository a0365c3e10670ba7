//! How a shard's pair changes: one step toward the target at a time, and at once when somebody is lost.

use super::{Change, Holder, Learner, Phase, Progress, Stage};
use crate::{
    application::Application,
    ids::{Claim, NodeId, Term},
    message::Replication,
    shard::Context,
};

impl<A: Application> Holder<A> {
    /// One step toward the target: a learner, a new standby, or the standby's promotion.
    pub(super) fn step(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>) {
        if let Phase::HandingOver { claim, is_told } = &mut self.phase {
            let last = self.replica.last();
            if !*is_told && self.committed == last.number {
                *is_told = true;
                let claim = claim.clone();
                ctx.send(&claim.holder.clone(), Replication::TakeOver { claim, last });
            }
            return;
        }
        if !self.is_serving() || self.change.is_some() {
            return;
        }
        let target = ctx.target();
        let is_mine = target.holder.as_ref() == Some(ctx.me());
        let wanted = if is_mine {
            target.standby
        } else {
            target.holder.clone()
        };
        let Some(wanted) = wanted.filter(|node| !ctx.peers.is_dead(node) && node != ctx.me()) else {
            return;
        };
        if self
            .standby
            .as_ref()
            .is_some_and(|standby| standby.node == wanted)
        {
            self.learner = None;
            if !is_mine {
                self.hand_over(ctx, heard, wanted);
            }
            return;
        }
        match self.learner.take() {
            Some(Learner {
                node,
                progress: Some(progress),
            }) if node == wanted && progress.acknowledged == self.replica.last().number => {
                self.name(ctx, heard, progress);
            }
            Some(learner) if learner.node == wanted => self.learner = Some(learner),
            _ => {
                self.enlist(ctx, &wanted);
                self.learner = Some(Learner {
                    node: wanted,
                    progress: None,
                });
            }
        }
    }

    pub(super) fn hand_over(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>, to: NodeId) {
        let term = self.next_claim(ctx, heard, None).term;
        let claim = Claim {
            term,
            since: term,
            breaks: self.breaks,
            holder: to,
            standby: Some(ctx.me().clone()),
        };
        *heard = Some(claim.clone());
        self.phase = Phase::HandingOver {
            claim,
            is_told: false,
        };
        self.step(ctx, heard);
    }

    pub(super) fn next_claim(
        &self,
        ctx: &Context<'_, A>,
        heard: &mut Option<Claim>,
        standby: Option<NodeId>,
    ) -> Claim {
        let highest = heard
            .as_ref()
            .map_or(self.term, |claim| claim.term.max(self.term));
        let claim = Claim {
            term: highest.next(ctx.me()),
            since: self.since,
            breaks: self.breaks,
            holder: ctx.me().clone(),
            standby,
        };
        *heard = Some(claim.clone());
        claim
    }

    /// Begins to make a follower that is in step the standby.
    pub(super) fn name(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>, named: Progress) {
        let claim = self.next_claim(ctx, heard, Some(named.node.clone()));
        let change = Change {
            claim,
            named,
            stage: Stage::Naming,
        };
        self.tell_named(ctx, &change);
        self.change = Some(change);
    }

    pub(super) fn former(&self, change: &Change) -> Option<&Progress> {
        self.standby
            .as_ref()
            .filter(|standby| standby.node != change.named.node)
    }

    pub(super) fn tell_named(&self, ctx: &mut Context<'_, A>, change: &Change) {
        let former = self.former(change).map(|former| former.node.clone());
        let claim = change.claim.clone();
        ctx.send(&change.named.node, Replication::Name { claim, former });
    }

    pub(crate) fn on_named(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, term: Term) {
        let Some(change) = self.change.as_mut().filter(|change| {
            change.claim.term == term && change.named.node == *from && change.stage == Stage::Naming
        }) else {
            return;
        };
        change.stage = Stage::Discharging;
        self.discharge(ctx);
    }

    /// Has the former standby give up its right, or ends the change when there is none.
    pub(super) fn discharge(&mut self, ctx: &mut Context<'_, A>) {
        let Some(change) = &self.change else { return };
        match self.former(change) {
            Some(former) => {
                let (node, claim) = (former.node.clone(), change.claim.clone());
                ctx.send(&node, Replication::Discharge { claim });
            }
            None => self.complete_change(ctx),
        }
    }

    pub(crate) fn on_discharged(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, term: Term) {
        let is_awaited = self.change.as_ref().is_some_and(|change| {
            change.claim.term == term
                && change.stage == Stage::Discharging
                && self.former(change).is_some_and(|former| former.node == *from)
        });
        if is_awaited {
            self.complete_change(ctx);
        }
    }

    pub(super) fn complete_change(&mut self, ctx: &mut Context<'_, A>) {
        if let Some(change) = self.change.take() {
            self.term = change.claim.term;
            let named = change.named;
            self.standby = match self.standby.take() {
                Some(standby) if standby.node == named.node => Some(standby),
                _ => Some(named),
            };
            self.announce(ctx);
        }
    }

    /// Nobody stands by any more.
    pub(super) fn go_alone(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>) {
        self.standby = None;
        self.change = None;
        self.term = self.next_claim(ctx, heard, None).term;
        let was_serving = !matches!(self.phase, Phase::Opening);
        self.phase = Phase::Serving;
        if was_serving {
            self.announce(ctx);
        } else {
            self.begin(ctx);
        }
    }

    /// Goes on in a new term, for somebody has heard of a higher one whose holder is dead.
    pub(crate) fn raise_term(&mut self, ctx: &mut Context<'_, A>, heard: &mut Option<Claim>) {
        self.change = None;
        self.learner = None;
        if matches!(self.phase, Phase::HandingOver { .. }) {
            self.phase = Phase::Serving;
        }
        match self.standby.clone() {
            Some(standby) => self.name(ctx, heard, standby),
            None => self.go_alone(ctx, heard),
        }
    }

    /// A follower is none any more, of its own accord: as if it had died, but that it can be enlisted again.
    pub(crate) fn on_resigned(
        &mut self,
        ctx: &mut Context<'_, A>,
        heard: &mut Option<Claim>,
        from: &NodeId,
        since: Term,
    ) {
        if since == self.since || self.hands_over_to(from, since).is_some() {
            self.lose(ctx, heard, |node| node == from);
        }
    }

    /// Goes on without followers that are lost.
    pub(super) fn lose(
        &mut self,
        ctx: &mut Context<'_, A>,
        heard: &mut Option<Claim>,
        is_lost: impl Fn(&NodeId) -> bool,
    ) {
        self.learner.take_if(|learner| is_lost(&learner.node));
        let is_standby_lost = self.standby.take_if(|standby| is_lost(&standby.node)).is_some();
        let is_named_lost = self
            .change
            .take_if(|change| is_lost(&change.named.node))
            .is_some();
        match (&self.change, &self.standby) {
            (None, None) if is_named_lost || is_standby_lost => self.go_alone(ctx, heard),
            // It may have been discharged, and must be named anew.
            (None, Some(standby)) if is_named_lost => {
                let standby = standby.clone();
                self.name(ctx, heard, standby);
            }
            (Some(change), None) if is_standby_lost && change.stage == Stage::Discharging => {
                self.complete_change(ctx);
            }
            _ => {}
        }
    }
}
