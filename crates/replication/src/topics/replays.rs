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
    from: Option<Position>,
    is_asked: bool,
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

    pub(crate) fn add(&mut self, replay: ReplayId, topic: TopicOf<A>, from: Option<Position>) {
        let is_asked = false;
        let pending = Pending {
            topic,
            from,
            is_asked,
        };
        self.pending.insert(replay, pending);
    }

    /// What was asked may be lost.
    pub(crate) fn reset(&mut self) {
        for pending in self.pending.values_mut() {
            pending.is_asked = false;
        }
    }

    /// Asks what was not asked yet. A topic that this node subscribes to, and does not hear yet, must wait: else what lies
    /// between the answer and the begin of the subscription would be heard by nobody. Each answer may have as many bytes as one
    /// message: of more than the window has room for, the rest waits.
    pub(crate) fn ask(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: &NodeId,
        is_heard: impl Fn(&TopicOf<A>) -> bool,
    ) {
        let most = (ctx.settings.window_bytes / ctx.settings.message_bytes.max(1)).max(1);
        let mut asked = self.pending.values().filter(|pending| pending.is_asked).count();
        for (replay, pending) in &mut self.pending {
            if asked >= most {
                return;
            }
            if !pending.is_asked && is_heard(&pending.topic) {
                pending.is_asked = true;
                asked += 1;
                let (replay, topic, from) = (*replay, pending.topic.clone(), pending.from);
                ctx.send(holder, Topics::Replay { replay, topic, from });
            }
        }
    }

    /// The holder that is in force has answered.
    pub(crate) fn on_replayed(
        &mut self,
        ctx: &mut Context<'_, A>,
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
        // An answer to a question that was asked twice may begin where a former piece began, or end where it ended: then
        // the next piece is asked for.
        let told = pending.from.map_or(0, |told| told.number);
        if !excerpt.is_all && excerpt.through.number <= told {
            return;
        }
        let news = excerpt.publications.into_iter();
        let publications = news
            .filter(|(at, _)| at.number > told)
            .map(|(at, publication)| (at, publication.payload))
            .collect();
        let through = match pending.from {
            Some(from) if from.number >= excerpt.through.number => from,
            _ => excerpt.through,
        };
        pending.from = Some(through);
        pending.is_asked = false;
        if excerpt.is_all {
            self.pending.remove(&replay);
        }
        ctx.put(Output::Replayed {
            replay,
            publications,
            through,
            is_last: excerpt.is_all,
        });
    }
}
