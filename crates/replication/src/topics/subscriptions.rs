//! What this node wants to hear of one shard's topics, and how far it has.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    application::{Application, TopicOf},
    ids::{Claim, NodeId, Position, Term},
    log::Publication,
    message::{Agreement, Start, Topics},
    output::Output,
    shard::Context,
};

pub(crate) struct Subscriptions<A: Application> {
    topics: BTreeMap<TopicOf<A>, Subscription>,
    /// Those to which the holder has not agreed.
    pending: BTreeSet<TopicOf<A>>,
    /// The holder to which they are made, and since when it has been that.
    bound: Option<(NodeId, Term)>,
    /// Up to where the holder has sent all of what is active.
    through: Position,
    generation: u64,
}

struct Subscription {
    generation: u64,
    /// Up to where the topic was heard; nothing before the first subscription holds.
    heard: Option<Position>,
}

impl<A: Application> Default for Subscriptions<A> {
    fn default() -> Self {
        Self {
            topics: BTreeMap::new(),
            pending: BTreeSet::new(),
            bound: None,
            through: Position::START,
            generation: 0,
        }
    }
}

impl<A: Application> Subscriptions<A> {
    pub(crate) fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the topic is subscribed to, and not heard yet.
    pub(crate) fn is_pending(&self, topic: &TopicOf<A>) -> bool {
        self.pending.contains(topic)
    }

    pub(crate) fn add(&mut self, ctx: &mut Context<'_, A>, topic: TopicOf<A>, from: Option<Position>) {
        let generation = self.next_generation();
        let subscription = Subscription {
            generation,
            heard: from,
        };
        self.topics.insert(topic.clone(), subscription);
        self.pending.insert(topic.clone());
        self.ask(ctx, &topic);
    }

    pub(crate) fn remove(&mut self, ctx: &mut Context<'_, A>, topic: TopicOf<A>) {
        let generation = self.next_generation();
        self.pending.remove(&topic);
        if self.topics.remove(&topic).is_some()
            && let Some((holder, _)) = self.bound.clone()
        {
            ctx.send(&holder, Topics::Unsubscribe { topic, generation });
        }
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Somebody else holds the shard, or the link to the holder may have lost what was said: says everything anew.
    pub(crate) fn bind(&mut self, ctx: &mut Context<'_, A>, claim: &Claim) {
        self.release();
        self.bound = Some((claim.holder.clone(), claim.since));
        self.repeat(ctx);
        let since = claim.since;
        ctx.send(&claim.holder, Topics::AllSubscribed { since });
    }

    /// Whether the holder of a claim is the one to which the subscriptions are made.
    pub(crate) fn is_bound_to(&self, claim: &Claim) -> bool {
        self.bound
            .as_ref()
            .is_some_and(|(holder, since)| *holder == claim.holder && *since == claim.since)
    }

    /// The holder is gone.
    pub(crate) fn release(&mut self) {
        for (topic, subscription) in &mut self.topics {
            if self.pending.insert(topic.clone()) {
                subscription.heard = subscription.heard.max(Some(self.through));
            }
        }
        self.bound = None;
        self.through = Position::START;
    }

    /// Asks again for all that has not been agreed to.
    pub(crate) fn repeat(&mut self, ctx: &mut Context<'_, A>) {
        let pending: Vec<TopicOf<A>> = self.pending.iter().cloned().collect();
        for topic in pending {
            self.ask(ctx, &topic);
        }
    }

    fn ask(&mut self, ctx: &mut Context<'_, A>, topic: &TopicOf<A>) {
        let generation = self.next_generation();
        let (Some((holder, _)), Some(subscription)) = (&self.bound, self.topics.get_mut(topic)) else {
            return;
        };
        subscription.generation = generation;
        let (topic, from) = (topic.clone(), subscription.heard);
        ctx.send(
            holder,
            Topics::Subscribe {
                topic,
                generation,
                from,
            },
        );
    }

    pub(crate) fn is_from_holder(&self, from: &NodeId, since: Term) -> bool {
        self.bound
            .as_ref()
            .is_some_and(|(holder, bound)| holder == from && *bound == since)
    }

    pub(crate) fn on_subscribed(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        since: Term,
        agreement: Agreement<A>,
    ) {
        if !self.is_from_holder(from, since) {
            return;
        }
        let Agreement {
            topic,
            generation,
            start,
        } = agreement;
        let Some(subscription) = self
            .topics
            .get_mut(&topic)
            .filter(|subscription| subscription.generation == generation)
        else {
            return;
        };
        let is_first = subscription.heard.is_none();
        match start {
            Start::At(base) => {
                subscription.heard = Some(base);
                self.pending.remove(&topic);
                ctx.put(if is_first {
                    Output::Subscribed { topic, base }
                } else {
                    Output::Gap { topic, base }
                });
            }
            Start::Behind(excerpt) => {
                subscription.heard = Some(excerpt.through);
                for (at, publication) in excerpt.publications {
                    deliver(ctx, at, publication);
                }
                if excerpt.is_all {
                    self.pending.remove(&topic);
                } else {
                    self.pending.insert(topic.clone());
                    self.ask(ctx, &topic);
                }
            }
        }
    }

    pub(crate) fn on_publications(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        since: Term,
        publications: Vec<(Position, Publication<A>)>,
        through: Position,
    ) {
        if !self.is_from_holder(from, since) {
            return;
        }
        for (at, publication) in publications {
            let Some(subscription) = self.topics.get_mut(&publication.topic) else {
                continue;
            };
            // What comes before the holder has agreed is in its answer.
            if self.pending.contains(&publication.topic) {
                continue;
            }
            let heard = subscription.heard.max(Some(self.through)).unwrap_or(self.through);
            if at.number <= heard.number {
                continue;
            }
            if publication.previous > heard.number {
                subscription.heard = Some(heard);
                self.pending.insert(publication.topic.clone());
                self.ask(ctx, &publication.topic);
                continue;
            }
            subscription.heard = Some(at);
            deliver(ctx, at, publication);
        }
        self.through = through;
    }
}

fn deliver<A: Application>(ctx: &mut Context<'_, A>, at: Position, publication: Publication<A>) {
    ctx.put(Output::Deliver {
        topic: publication.topic,
        at,
        payload: publication.payload,
    });
}
