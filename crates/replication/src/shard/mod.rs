//! One shard as one node knows it: who holds it, what this node has of it, and what it wants of its topics.

mod candidate;
mod context;
mod custody;
mod follower;
mod holder;
mod replication;
mod subscribers;

use std::time::Duration;

pub(crate) use self::context::Context;
use self::{candidate::Candidate, follower::Follower, holder::Holder};
use crate::{
    application::{Application, TopicOf},
    core::Settings,
    ids::{Claim, NodeId, Position, ReplayId},
    message::{Custody, Intent, Kind, Topics},
    replica::Replica,
    topics::{Publisher, Replays, Subscriptions},
};

/// The machine of one shard at one node.
pub(crate) struct Shard<A: Application> {
    /// The highest claim that was heard of, in force or not.
    heard: Option<Claim>,
    /// The claim by which this node finds the holder.
    route: Option<Claim>,
    role: Role<A>,
    subscriptions: Subscriptions<A>,
    replays: Replays<A>,
    publisher: Publisher<A>,
    rounds: u64,
    /// When what is unanswered is asked again.
    retry_at: Option<Duration>,
}

enum Role<A: Application> {
    Nothing,
    /// A copy that nobody keeps in step: of use if all others are lost.
    Copy(Replica<A>),
    Follower(Follower<A>),
    Candidate(Candidate<A>),
    Holder(Box<Holder<A>>),
}

impl<A: Application> Default for Shard<A> {
    fn default() -> Self {
        Self {
            heard: None,
            route: None,
            role: Role::Nothing,
            subscriptions: Subscriptions::default(),
            replays: Replays::default(),
            publisher: Publisher::default(),
            rounds: 0,
            retry_at: None,
        }
    }
}

impl<A: Application> Shard<A> {
    /// The state, if this node holds the shard and serves it.
    pub(crate) fn state(&self) -> Option<&A::State> {
        match &self.role {
            Role::Holder(holder) if holder.is_serving() => Some(holder.state()),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn log(&self) -> Option<(&crate::log::Log<A>, u64)> {
        match &self.role {
            Role::Holder(holder) => Some(holder.log()),
            _ => None,
        }
    }

    pub(crate) fn route(&self) -> Option<&Claim> {
        self.route.as_ref()
    }

    /// Who may take the shard over from this node; none if this node does not serve it.
    pub(crate) fn successors(&self) -> Option<Vec<NodeId>> {
        match &self.role {
            Role::Holder(holder) if holder.is_serving() => Some(holder.successors()),
            _ => None,
        }
    }

    /// When the shard wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let candidate = match &self.role {
            Role::Candidate(candidate) => candidate.deadline(),
            _ => None,
        };
        candidate.into_iter().chain(self.retry_at).min()
    }

    pub(crate) fn record(&mut self, record: A::Record) -> Option<Position> {
        match &mut self.role {
            Role::Holder(holder) if holder.is_serving() => Some(holder.record(record)),
            _ => None,
        }
    }

    pub(crate) fn last(&self) -> Option<Position> {
        match &self.role {
            Role::Holder(holder) if holder.is_serving() => Some(holder.last()),
            _ => None,
        }
    }

    pub(crate) fn has(&self, position: Position) -> bool {
        match &self.role {
            Role::Holder(holder) => holder.has(position),
            _ => false,
        }
    }

    /// Whether so much is kept that nothing is to be added.
    pub(crate) fn is_full(&self, settings: &Settings) -> bool {
        match &self.role {
            Role::Holder(holder) => holder.is_full(settings),
            _ => false,
        }
    }

    /// Whether a publication would be taken.
    pub(crate) fn has_room(&self, settings: &Settings) -> bool {
        self.publisher.has_room(settings)
    }

    pub(crate) fn publish(&mut self, ctx: &mut Context<'_, A>, intent: Intent<A>) {
        let holder = self.route.as_ref().map(|claim| &claim.holder);
        self.publisher.publish(ctx, holder, intent);
    }

    pub(crate) fn subscribe(&mut self, ctx: &mut Context<'_, A>, topic: TopicOf<A>, from: Option<Position>) {
        self.subscriptions.add(ctx, topic, from);
    }

    pub(crate) fn replay(&mut self, replay: ReplayId, topic: TopicOf<A>, from: Option<Position>) {
        self.replays.add(replay, topic, from);
    }

    pub(crate) fn unsubscribe(&mut self, ctx: &mut Context<'_, A>, topic: TopicOf<A>) {
        self.subscriptions.remove(ctx, topic);
    }

    /// The members are others now.
    pub(crate) fn on_view(&mut self, ctx: &mut Context<'_, A>) {
        if self
            .route
            .as_ref()
            .is_some_and(|claim| ctx.peers.is_dead(&claim.holder))
        {
            self.find(ctx, None);
            self.subscriptions.release();
        }
        match &mut self.role {
            Role::Holder(holder) => holder.on_view(ctx, &mut self.heard),
            Role::Follower(follower) if ctx.peers.is_dead(follower.holder()) => {
                let right = follower.right().cloned();
                let former = follower.former().cloned();
                if right.is_some() {
                    let replica = self.take_replica();
                    self.role = Role::Candidate(Candidate::new(right, former, replica));
                } else {
                    self.demote_to_copy();
                }
            }
            _ => {}
        }
        self.run_if_vacant(ctx);
        self.stand(ctx);
    }

    /// A node has become a member.
    pub(crate) fn on_member(&mut self, ctx: &mut Context<'_, A>, node: &NodeId) {
        if let Role::Holder(holder) = &self.role
            && node != ctx.me()
        {
            holder.announce_to(ctx, node);
        }
    }

    /// The link to a node may have lost what was on its way, in both directions.
    pub(crate) fn on_reset(&mut self, ctx: &mut Context<'_, A>, peer: &NodeId) {
        match &mut self.role {
            Role::Holder(holder) => holder.on_reset(ctx, peer),
            Role::Candidate(candidate) => candidate.repeat(ctx, peer, self.heard.as_ref()),
            _ => {}
        }
        if let Some(claim) = self.route.clone()
            && claim.holder == *peer
        {
            self.subscriptions.bind(ctx, &claim);
            self.publisher.repeat(ctx, peer);
            self.replays.reset();
        }
    }

    /// Time has passed.
    pub(crate) fn on_tick(&mut self, ctx: &mut Context<'_, A>) {
        if let Role::Candidate(candidate) = &self.role
            && candidate.is_waiting()
            && candidate.deadline().is_some_and(|at| at <= ctx.now)
        {
            self.stand(ctx);
        }
        if self.retry_at.is_some_and(|at| at <= ctx.now) {
            self.retry_at = None;
            self.run_if_vacant(ctx);
            self.stand(ctx);
            self.ask_again(ctx);
        }
    }

    fn ask_again(&mut self, ctx: &mut Context<'_, A>) {
        if !self.is_asking() {
            return;
        }
        if let Some(claim) = &self.route {
            self.publisher.repeat(ctx, &claim.holder);
            self.replays.reset();
            self.subscriptions.repeat(ctx);
        } else {
            let others: Vec<NodeId> = ctx.peers.others().cloned().collect();
            for node in others {
                ctx.send(&node, Custody::WhoHolds);
            }
        }
    }

    /// Whether something that the holder was asked for is not answered.
    fn is_asking(&self) -> bool {
        self.publisher.is_pending() || self.subscriptions.are_pending() || self.replays.are_pending()
    }

    /// Does what has become possible by the last step.
    pub(crate) fn advance(&mut self, ctx: &mut Context<'_, A>) {
        if let Role::Holder(holder) = &mut self.role {
            holder.advance(ctx, &mut self.heard);
        }
        if let Some(claim) = &self.route {
            let is_heard = |topic: &TopicOf<A>| !self.subscriptions.is_pending(topic);
            self.replays.ask(ctx, &claim.holder, is_heard);
        }
        if !self.is_asking() && !self.is_vacant(ctx) {
            self.retry_at = None;
        } else if self.retry_at.is_none() {
            self.retry_at = Some(ctx.now + ctx.settings.retry);
        }
    }

    pub(crate) fn handle(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, message: Kind<A>) {
        match message {
            Kind::Custody(message) => self.on_custody(ctx, from, message),
            Kind::Replication(message) => self.on_replication(ctx, from, message),
            Kind::Topics(message) => self.on_topics(ctx, from, message),
        }
    }

    fn take_replica(&mut self) -> Replica<A> {
        match std::mem::replace(&mut self.role, Role::Nothing) {
            Role::Nothing => Replica::default(),
            Role::Copy(replica) => replica,
            Role::Follower(follower) => follower.into_replica(),
            Role::Candidate(candidate) => candidate.into_replica(),
            Role::Holder(holder) => holder.into_replica(),
        }
    }

    fn demote_to_copy(&mut self) {
        self.role = Role::Copy(self.take_replica());
    }

    fn on_topics(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, message: Topics<A>) {
        match message {
            Topics::Confirm {
                producer,
                sequence,
                at,
                ..
            } => {
                let holder = self.route.as_ref().map(|claim| &claim.holder);
                self.publisher.on_confirmed(ctx, holder, producer, sequence, at);
            }
            Topics::Subscribed { since, agreement } => {
                self.subscriptions.on_subscribed(ctx, from, since, agreement);
            }
            Topics::Replayed {
                since,
                replay,
                missed,
            } => {
                if self.subscriptions.is_from_holder(from, since) {
                    self.replays.on_replayed(ctx, replay, missed);
                }
            }
            Topics::Publications {
                since,
                publications,
                through,
            } => self
                .subscriptions
                .on_publications(ctx, from, since, publications, through),
            request => self.on_request(ctx, from, request),
        }
    }

    /// What publishers and subscribers say to the holder. Who is not serving says nothing: they ask again when it is.
    fn on_request(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, message: Topics<A>) {
        let Role::Holder(holder) = &mut self.role else {
            return;
        };
        match message {
            Topics::AllSubscribed { since } => holder.subscribers_complete(from, since),
            Topics::Unsubscribe { topic, generation } => holder.unsubscribe(from, &topic, generation),
            _ if !holder.is_serving() => {}
            Topics::Publish(intent) => holder.publish(ctx, from, intent),
            Topics::Replay {
                replay,
                topic,
                from: heard,
            } => holder.replay(ctx, from, replay, &topic, heard),
            Topics::Subscribe {
                topic,
                generation,
                from: heard,
            } => holder.subscribe(ctx, from, topic, generation, heard),
            _ => {}
        }
    }
}
