//! What holder and followers say to each other.

use super::{Context, Follower, Holder, Role, Shard, candidate::Verdict};
use crate::{
    application::Application,
    ids::{Claim, NodeId, Position, Term},
    log::Entry,
    message::{Custody, Replication},
    output::Output,
};

impl<A: Application> Shard<A> {
    pub(super) fn on_replication(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        message: Replication<A>,
    ) {
        match message {
            Replication::Enlist { since, claim } => self.on_enlist(ctx, from, since, &claim),
            Replication::Install { since, replica } => {
                if let Some(follower) = self.follower_of(ctx, from, since) {
                    let answer = follower.install(replica);
                    ctx.send(from, answer);
                }
            }
            Replication::Append {
                since,
                after,
                entries,
            } => self.on_append(ctx, from, since, after, entries),
            Replication::Name { claim, former } => {
                let (term, since) = (claim.term, claim.since);
                if self.accepts(ctx, from, &claim)
                    && let Some(follower) = self.follower_of(ctx, from, since)
                {
                    follower.name(claim, former);
                    ctx.send(from, Replication::Named { term });
                }
            }
            Replication::Discharge { claim } => {
                if self.accepts(ctx, from, &claim) {
                    if let Role::Follower(follower) = &self.role
                        && follower.follows(from, claim.since)
                    {
                        self.demote_to_copy();
                    }
                    ctx.send(from, Replication::Discharged { term: claim.term });
                }
            }
            Replication::TakeOver { claim, last } => self.on_take_over(ctx, from, claim, last),
            Replication::Fetch { round } => {
                if let Role::Copy(replica) = &self.role {
                    let replica = replica.clone();
                    ctx.send(from, Replication::Fetched { round, replica });
                }
            }
            Replication::Fetched { round, replica } => {
                if let Role::Candidate(candidate) = &mut self.role
                    && let Verdict::Promote(replica) = candidate.fetched(from, round, replica)
                {
                    self.promote(ctx, replica);
                }
            }
            answer => self.on_answer(ctx, from, answer),
        }
    }

    /// What followers say to the holder.
    pub(super) fn on_answer(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, message: Replication<A>) {
        let Role::Holder(holder) = &mut self.role else {
            return;
        };
        match message {
            Replication::Enlisted { since, last } => holder.on_enlisted(ctx, from, since, last),
            Replication::Appended { since, number } => holder.on_appended(from, since, number),
            Replication::OutOfStep { since, last } => holder.on_out_of_step(ctx, from, since, last),
            Replication::Resigned { since } => holder.on_resigned(ctx, &mut self.heard, from, since),
            Replication::Named { term } => holder.on_named(ctx, from, term),
            Replication::Discharged { term } => holder.on_discharged(ctx, from, term),
            _ => {}
        }
    }

    pub(super) fn on_enlist(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, since: Term, claim: &Claim) {
        if !self.accepts(ctx, from, claim) {
            return;
        }
        let is_follower = matches!(&self.role, Role::Follower(follower) if follower.follows(from, since));
        if !is_follower {
            let replica = self.take_replica();
            self.role = Role::Follower(Follower::learner(from.clone(), since, replica));
        }
        if let Role::Follower(follower) = &self.role {
            let last = follower.last();
            ctx.send(from, Replication::Enlisted { since, last });
        }
    }

    pub(super) fn on_append(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        since: Term,
        after: Position,
        entries: Vec<Entry<A>>,
    ) {
        if let Role::Holder(holder) = &self.role
            && let Some(claim) = holder.hands_over_to(from, since).cloned()
        {
            let replica = self.take_replica();
            self.role = Role::Follower(Follower::standby(claim, replica));
            ctx.put(Output::Demoted(ctx.shard));
        }
        if let Some(follower) = self.follower_of(ctx, from, since) {
            let answer = follower.append(after, entries);
            ctx.send(from, answer);
        }
    }

    /// This node as a follower of that holder. If it is none, the holder is told.
    pub(super) fn follower_of(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: &NodeId,
        since: Term,
    ) -> Option<&mut Follower<A>> {
        match &mut self.role {
            Role::Follower(follower) if follower.follows(holder, since) => Some(follower),
            _ => {
                if let Some(heard) = &self.heard
                    && heard.term > since
                    && heard.holder != *holder
                {
                    ctx.send(holder, Custody::Superseded(heard.clone()));
                }
                // A holder that has promised a still higher term to another node does not end by that claim.
                ctx.send(holder, Replication::Resigned { since });
                None
            }
        }
    }

    pub(super) fn on_take_over(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        claim: Claim,
        last: Position,
    ) {
        let is_ready = matches!(&self.role, Role::Follower(follower)
            if follower.holder() == from && follower.right().is_some() && follower.last() == last);
        let has_left = match &self.role {
            Role::Follower(follower) => follower.holder() != from,
            Role::Holder(_) => false,
            _ => true,
        };
        if has_left {
            let since = claim.since;
            ctx.send(from, Replication::Resigned { since });
        }
        if !is_ready || !self.accepts(ctx, from, &claim) {
            return;
        }
        let replica = self.take_replica();
        self.role = Role::Holder(Box::new(Holder::taking_over(replica, &claim, from)));
    }
}
