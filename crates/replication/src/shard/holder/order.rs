//! Giving everything its place in the log, and letting it out when it is committed.

use std::time::Duration;

use super::{Awaiting, Holder, Phase};
use crate::{
    application::{Application, TopicOf},
    core::Settings,
    ids::{NodeId, Position, ReplayId, Term},
    log::{Body, Publication},
    message::{Agreement, Excerpt, Intent, Start, Topics},
    output::Output,
    shard::{Context, subscribers::Batch},
};

impl<A: Application> Holder<A> {
    pub(crate) fn record(&mut self, record: A::Record) -> Position {
        self.replica.decide(self.term, Body::Record(record))
    }

    /// Gives a publication its place, once.
    pub(crate) fn publish(&mut self, ctx: &mut Context<'_, A>, from: &NodeId, intent: Intent<A>) {
        let produced = self.replica.produced(&intent.producer);
        if let Some(produced) = produced
            && intent.sequence <= produced.sequence
        {
            // A repetition. Where it stands itself may be forgotten, but all up to the producer's last one are there.
            let awaiting = Awaiting {
                node: from.clone(),
                producer: intent.producer,
                sequence: produced.sequence,
            };
            if produced.number <= self.committed {
                self.confirm(ctx, produced.number, awaiting);
            } else {
                // It repeats until it is told: once is enough.
                let waiting = self.unconfirmed.entry(produced.number).or_default();
                if !waiting.iter().any(|it| it.node == awaiting.node) {
                    waiting.push(awaiting);
                }
            }
            return;
        }
        if self.is_full(ctx.settings) {
            // The publisher sends it again later, and all that is behind it.
            return;
        }
        if let Some(previous) = intent.previous
            && produced.is_none_or(|produced| produced.sequence != previous)
        {
            // The one before was not accepted. The publisher sends all again, in order, when it hears of a new claim.
            return;
        }
        let awaiting = Awaiting {
            node: from.clone(),
            producer: intent.producer.clone(),
            sequence: intent.sequence,
        };
        let publication = Publication {
            previous: self.replica.head(&intent.topic),
            topic: intent.topic,
            producer: intent.producer,
            sequence: intent.sequence,
            payload: intent.payload,
        };
        let at = self.replica.decide(self.term, Body::Publication(publication));
        self.unconfirmed.entry(at.number).or_default().push(awaiting);
    }

    pub(super) fn confirm(&self, ctx: &mut Context<'_, A>, number: u64, awaiting: Awaiting<A>) {
        let at = self.replica.log().position(number);
        ctx.send(
            &awaiting.node,
            Topics::Confirm {
                producer: awaiting.producer,
                sequence: awaiting.sequence,
                at,
            },
        );
    }

    pub(crate) fn subscribe(
        &mut self,
        ctx: &mut Context<'_, A>,
        from: &NodeId,
        topic: TopicOf<A>,
        generation: u64,
        heard: Option<Position>,
    ) {
        if !self.subscribers.add(from, &topic, generation) {
            return;
        }
        let limit = ctx.settings.message_bytes;
        let missed = heard.and_then(|heard| self.replica.missed(&topic, heard, self.committed, limit));
        let start = match missed {
            Some(excerpt) => Start::Behind(excerpt),
            None => Start::At(self.replica.log().position(self.committed)),
        };
        let agreement = Agreement {
            topic,
            generation,
            start,
        };
        let since = self.since;
        ctx.send(from, Topics::Subscribed { since, agreement });
    }

    pub(crate) fn replay(
        &self,
        ctx: &mut Context<'_, A>,
        to: &NodeId,
        replay: ReplayId,
        topic: &TopicOf<A>,
        from: Option<Position>,
    ) {
        let limit = ctx.settings.message_bytes;
        let missed = match from {
            Some(from) => self.replica.missed(topic, from, self.committed, limit),
            None => Some(Excerpt {
                publications: Vec::new(),
                through: self.replica.log().position(self.committed),
                is_all: true,
            }),
        };
        let since = self.since;
        ctx.send(
            to,
            Topics::Replayed {
                since,
                replay,
                missed,
            },
        );
    }

    pub(crate) fn unsubscribe(&mut self, from: &NodeId, topic: &TopicOf<A>, generation: u64) {
        self.subscribers.remove(from, topic, generation);
    }

    pub(crate) fn subscribers_complete(&mut self, from: &NodeId, since: Term) {
        if since == self.since {
            self.subscribers.complete(from);
        }
    }

    /// What everybody has whose word counts.
    pub(super) fn acknowledged(&self) -> u64 {
        let named = self.change.as_ref().map(|change| change.named.acknowledged);
        let standby = self.standby.as_ref().map(|standby| standby.acknowledged);
        named
            .into_iter()
            .chain(standby)
            .min()
            .unwrap_or(self.replica.last().number)
    }

    pub(super) fn commit(&mut self, ctx: &mut Context<'_, A>) {
        let acknowledged = self.acknowledged();
        if matches!(self.phase, Phase::Opening) {
            if acknowledged < self.replica.last().number {
                return;
            }
            self.phase = Phase::Serving;
            self.begin(ctx);
        }
        if acknowledged <= self.committed {
            return;
        }
        let mut batch = Batch::<A>::new();
        let mut is_trimmed = false;
        for entry in self.replica.log().range(self.committed, acknowledged) {
            match &entry.body {
                Body::Publication(publication) => self.subscribers.sort_in(&mut batch, entry.at, publication),
                Body::Trimmed { .. } => is_trimmed = true,
                Body::Opened | Body::Record(_) => {}
            }
        }
        self.committed = acknowledged;
        if is_trimmed {
            // Those who hear nothing move on too, lest their positions grow too old.
            for node in self.subscribers.nodes() {
                batch.entry(node).or_default();
            }
        }
        let through = self.replica.log().position(acknowledged);
        for (node, publications) in batch {
            let since = self.since;
            ctx.send(
                &node,
                Topics::Publications {
                    since,
                    publications,
                    through,
                },
            );
        }
        let later = self.unconfirmed.split_off(&(acknowledged + 1));
        for (number, awaiting) in std::mem::replace(&mut self.unconfirmed, later) {
            for awaiting in awaiting {
                self.confirm(ctx, number, awaiting);
            }
        }
        let shard = ctx.shard;
        ctx.put(Output::Committed {
            shard,
            number: acknowledged,
        });
    }

    /// Whether so much is kept that nothing is to be added: what cannot be committed or forgotten now.
    pub(crate) fn is_full(&self, settings: &Settings) -> bool {
        let kept = settings.kept_bytes.saturating_add(settings.kept_bytes / 4);
        self.replica.log().bytes() >= kept.saturating_add(settings.backlog_bytes)
    }

    /// Forgets what is committed and older than what is to be kept, once all members have said what they subscribe to.
    pub(super) fn trim(&mut self, ctx: &Context<'_, A>) {
        let limit = ctx.settings.kept_bytes;
        let slack = limit / 4;
        let log = self.replica.log();
        if !self.is_serving() || log.bytes() <= limit + slack {
            return;
        }
        // A trim is an entry too: one at a time, and each must be worth more than itself.
        let is_under_way = self
            .trims
            .back()
            .is_some_and(|(_, number)| *number >= self.committed);
        let up_to = self.committed.min(log.excess(limit));
        let me = ctx.me();
        if !is_under_way
            && log.size(log.floor(), up_to) >= slack
            && self.subscribers.are_complete(ctx.peers.others().chain([me]))
        {
            self.trims.push_back((ctx.now, self.replica.last().number));
            let body = Body::Trimmed {
                entries: up_to,
                idle: self.idle(ctx),
            };
            self.replica.decide(self.term, body);
        }
    }

    /// The number up to which the log had come before the window, as far as this holder knows.
    pub(super) fn idle(&mut self, ctx: &Context<'_, A>) -> u64 {
        let is_old = |(at, _): &(Duration, u64)| *at + ctx.settings.window < ctx.now;
        let old = self.trims.partition_point(is_old);
        let newest = self.trims.drain(..old).next_back();
        if let Some((_, number)) = newest {
            self.idle = number.min(self.committed);
        }
        self.idle
    }
}
