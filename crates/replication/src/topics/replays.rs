//! What this node asks about the past of one shard's topics, for listeners that have heard less than it has.

use std::collections::BTreeMap;

use crate::{
    application::{Application, TopicOf},
    ids::{NodeId, Position, ReplayId},
    message::{Excerpt, Topics},
    output::Output,
    shard::Context,
};

/// Requests that the holder has not answered. The answer reaches at least as far as what that holder has delivered here
/// before it: so a listener takes what it is told behind the answer, and skips what comes before.
pub(crate) struct Replays<A: Application> {
    pending: BTreeMap<ReplayId, Pending<A>>,
}

struct Pending<A: Application> {
    topic: TopicOf<A>,
    /// Up to where the listener has heard, or been told.
    from: Position,
}

impl<A: Application> Default for Replays<A> {
    fn default() -> Self {
        Self {
            pending: BTreeMap::new(),
        }
    }
}

impl<A: Application> Replays<A> {
    pub(crate) fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn add(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: Option<&NodeId>,
        replay: ReplayId,
        topic: TopicOf<A>,
        from: Position,
    ) {
        self.pending.insert(replay, Pending { topic, from });
        if let Some(holder) = holder {
            self.ask(ctx, holder, replay);
        }
    }

    /// Asks another holder, or again after a link was lost.
    pub(crate) fn repeat(&self, ctx: &mut Context<'_, A>, holder: &NodeId) {
        for replay in self.pending.keys() {
            self.ask(ctx, holder, *replay);
        }
    }

    fn ask(&self, ctx: &mut Context<'_, A>, holder: &NodeId, replay: ReplayId) {
        if let Some(Pending { topic, from }) = self.pending.get(&replay) {
            let (topic, from) = (topic.clone(), *from);
            ctx.send(holder, Topics::Replay { replay, topic, from });
        }
    }

    /// The holder that is in force has answered.
    pub(crate) fn on_replayed(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: &NodeId,
        replay: ReplayId,
        missed: Option<Excerpt<A>>,
    ) {
        let Some(pending) = self.pending.get_mut(&replay) else {
            return;
        };
        let Some(excerpt) = missed else {
            self.pending.remove(&replay);
            ctx.put(Output::NotReplayable(replay));
            return;
        };
        // An answer to a question that was asked twice may begin where a former piece began.
        let told = pending.from;
        let news = excerpt.publications.into_iter();
        let publications = news
            .filter(|(at, _)| at.number > told.number)
            .map(|(at, publication)| (at, publication.payload))
            .collect();
        pending.from = if excerpt.through.number > told.number {
            excerpt.through
        } else {
            told
        };
        let through = pending.from;
        if excerpt.is_all {
            self.pending.remove(&replay);
        } else {
            self.ask(ctx, holder, replay);
        }
        ctx.put(Output::Replayed {
            replay,
            publications,
            through,
            is_last: excerpt.is_all,
        });
    }
}
