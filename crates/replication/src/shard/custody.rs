//! Who holds the shard: claims, candidacies and promotions.

use super::{Candidate, Context, Holder, Role, Shard, candidate::Verdict};
use crate::{
    application::Application,
    ids::{Claim, NodeId, Position, Term},
    message::{Custody, Holding},
    output::Output,
    replica::Replica,
};

impl<A: Application> Shard<A> {
    pub(super) fn on_custody(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, message: Custody) {
        match message {
            Custody::Announce(claim) => self.on_announced(ctx, from, claim),
            Custody::Superseded(claim) => {
                self.hear(ctx, &claim);
            }
            Custody::WhoHolds => {
                if let Role::Holder(holder) = &self.role {
                    holder.announce_to(ctx, from);
                }
            }
            Custody::Inquire { round, heard } => {
                if let Some(claim) = heard {
                    self.hear(ctx, &claim);
                }
                let (heard, holding) = (self.heard.clone(), self.holding(ctx.me()));
                let dead = match &heard {
                    Some(claim) => claim
                        .pair()
                        .filter(|node| ctx.peers.is_dead(node))
                        .cloned()
                        .collect(),
                    None => ctx.peers.lost().cloned().collect(),
                };
                ctx.send(
                    from,
                    Custody::Holding {
                        round,
                        heard,
                        holding,
                        dead,
                    },
                );
            }
            Custody::Holding {
                round,
                heard,
                holding,
                dead,
            } => {
                if let Some(claim) = heard {
                    self.hear(ctx, &claim);
                }
                match holding {
                    // Its history is another one, which was begun without this node, and ends when this one goes on.
                    Holding::Holds(claim) if self.prevails_over(&claim) => {
                        if let Role::Candidate(candidate) = &mut self.role {
                            candidate.note(ctx, from, round, &Holding::Nothing, dead);
                            self.decide(ctx);
                        }
                    }
                    Holding::Holds(claim) => {
                        // It announces when its claim is in force; until then there is nothing to take over.
                        if matches!(self.role, Role::Candidate(_)) {
                            self.demote_to_copy();
                        }
                        self.hear(ctx, &claim);
                        ctx.send(from, Custody::WhoHolds);
                    }
                    holding => {
                        if let Role::Candidate(candidate) = &mut self.role {
                            candidate.note(ctx, from, round, &holding, dead);
                            self.decide(ctx);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn holding(&self, me: &NodeId) -> Holding {
        let copy = |last| match last {
            Position::START => Holding::Nothing,
            last => Holding::Copy(last),
        };
        match &self.role {
            Role::Nothing => Holding::Nothing,
            Role::Copy(replica) => copy(replica.last()),
            Role::Follower(follower) if follower.right().is_some() => Holding::MayPromote,
            Role::Follower(follower) => copy(follower.last()),
            Role::Candidate(candidate) if candidate.right().is_some() => Holding::MayPromote,
            Role::Candidate(candidate) => copy(candidate.last()),
            Role::Holder(holder) => Holding::Holds(holder.claim(me)),
        }
    }

    /// Notes a claim. A right to promote, and the custody itself, lapse when a higher claim does not name this node.
    pub(super) fn hear(&mut self, ctx: &mut Context<'_, A>, claim: &Claim) {
        if self.heard.as_ref().is_some_and(|heard| heard.term >= claim.term) {
            return;
        }
        self.heard = Some(claim.clone());
        let is_named = claim.names(ctx.me());
        let prevails = self.prevails_over(claim);
        match &mut self.role {
            Role::Follower(follower) if !is_named && !prevails => follower.forfeit(),
            Role::Candidate(candidate) if !is_named && !prevails => candidate.forfeit(),
            Role::Holder(_)
                if claim.holder != *ctx.me() && !ctx.peers.is_dead(&claim.holder) && !prevails =>
            {
                self.demote_to_copy();
                ctx.put(Output::Demoted(ctx.shard));
            }
            Role::Holder(holder) => holder.raise_term(ctx, &mut self.heard),
            _ => {}
        }
    }

    /// Whether this node holds the shard, or has a right to it, in a history that was broken less often than that of a
    /// claim: when the two meet, this one goes on.
    fn prevails_over(&self, claim: &Claim) -> bool {
        let breaks = match &self.role {
            Role::Nothing | Role::Copy(_) => None,
            Role::Follower(follower) => follower.right().map(|right| right.breaks),
            Role::Candidate(candidate) => candidate.right().map(|right| right.breaks),
            Role::Holder(holder) => Some(holder.breaks()),
        };
        breaks.is_some_and(|breaks| breaks < claim.breaks)
    }

    pub(super) fn on_announced(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, claim: Claim) {
        if !self.accepts(ctx, from, &claim) {
            return;
        }
        let is_mine = claim.holder == *ctx.me();
        match &self.role {
            Role::Candidate(_) if !is_mine => self.demote_to_copy(),
            Role::Follower(follower) if !follower.follows(&claim.holder, claim.since) => {
                self.demote_to_copy()
            }
            _ => {}
        }
        if !self.subscriptions.is_bound_to(&claim) {
            self.subscriptions.bind(ctx, &claim);
        }
        self.publisher.repeat(ctx, &claim.holder);
        self.replays.reset();
        self.find(ctx, Some(claim));
    }

    /// Notes who holds the shard.
    pub(super) fn find(&mut self, ctx: &mut Context<'_, A>, claim: Option<Claim>) {
        let custody = |claim: &Claim| (claim.holder.clone(), claim.since);
        let is_other = self.route.as_ref().map(custody) != claim.as_ref().map(custody);
        self.route = claim.clone();
        if is_other {
            let shard = ctx.shard;
            ctx.put(Output::Routed { shard, claim });
        }
    }

    /// Notes a claim under which the sender says something, or tells it that this is over. What is said in a history
    /// that ends when it meets that of this node is not for it to follow.
    pub(super) fn accepts(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, claim: &Claim) -> bool {
        // A holder names its next pair before that is in force.
        let is_over = |heard: &Claim| heard.term > claim.term && heard.since != claim.since;
        if let Some(heard) = self.heard.clone().filter(is_over) {
            ctx.send(from, Custody::Superseded(heard));
            return false;
        }
        self.hear(ctx, claim);
        !self.prevails_over(claim)
    }

    /// Becomes a candidate for a shard that has no holder.
    pub(super) fn run_if_vacant(&mut self, ctx: &Context<'_, A>) {
        if self.is_vacant(ctx) {
            let replica = self.take_replica();
            self.role = Role::Candidate(Candidate::new(None, None, replica));
        }
    }

    /// Whether this node is to hold the shard, and knows of nobody who does.
    pub(super) fn is_vacant(&self, ctx: &Context<'_, A>) -> bool {
        self.route.is_none()
            && matches!(self.role, Role::Nothing | Role::Copy(_))
            && ctx.target().holder.as_ref() == Some(ctx.me())
    }

    /// Goes on with a candidacy: asks whom it has not asked, or gives up what another is to do.
    pub(super) fn stand(&mut self, ctx: &mut Context<'_, A>) {
        let is_target = ctx.target().holder.as_ref() == Some(ctx.me());
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        if candidate.right().is_none() && !is_target {
            self.demote_to_copy();
        } else if candidate.is_outdated(ctx) {
            self.rounds += 1;
            candidate.ask(ctx, self.heard.as_ref(), self.rounds);
            self.decide(ctx);
        }
    }

    pub(super) fn decide(&mut self, ctx: &mut Context<'_, A>) {
        if let Role::Candidate(candidate) = &mut self.role
            && let Verdict::Promote(replica) = candidate.decide(ctx, self.heard.as_ref())
        {
            self.promote(ctx, replica);
        }
    }

    pub(super) fn promote(&mut self, ctx: &mut Context<'_, A>, replica: Replica<A>) {
        let heard = self.heard.as_ref();
        let term = heard
            .map_or(Term::NONE, |claim| claim.term)
            .max(replica.last().term)
            .next(ctx.me());
        let (right, has_lost) = match &self.role {
            Role::Candidate(candidate) => (candidate.right(), candidate.has_lost(ctx)),
            _ => (None, false),
        };
        let breaks = match (right, heard) {
            (Some(right), _) => right.breaks,
            (None, Some(claim)) => claim.breaks.saturating_add(1),
            // Who is gone may have held it.
            (None, None) => u32::from(has_lost),
        };
        let holder = Holder::promoted(replica, term, breaks);
        self.heard = Some(holder.claim(ctx.me()));
        holder.begin(ctx);
        self.role = Role::Holder(Box::new(holder));
    }
}
