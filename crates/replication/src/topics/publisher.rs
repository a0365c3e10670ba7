//! What this node has published to one shard's topics and does not know to be committed.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    application::{Application, ProducerOf},
    core::Settings,
    ids::{NodeId, Position},
    message::{Intent, Topics},
    output::Output,
    shard::Context,
};

/// Nothing leaves it before it is confirmed; a new holder is sent all of it again, in the order in which it was published.
/// What exceeds the window waits here until something is confirmed, and what exceeds the bound of that is rejected.
pub(crate) struct Publisher<A: Application> {
    unconfirmed: BTreeMap<Ticket, Intent<A>>,
    /// The same by producer: its numbers, in order.
    by_producer: BTreeMap<ProducerOf<A>, VecDeque<(u64, Ticket)>>,
    next: Ticket,
    /// What has this ticket or a later one was not sent yet.
    unsent: Ticket,
    /// What was sent takes so many bytes.
    on_the_way: usize,
    /// And all that is here.
    bytes: usize,
    /// There was no room, and nobody was told that there is.
    was_full: bool,
}

/// Counts what is published here.
type Ticket = u64;

impl<A: Application> Default for Publisher<A> {
    fn default() -> Self {
        Self {
            unconfirmed: BTreeMap::new(),
            by_producer: BTreeMap::new(),
            next: 0,
            unsent: 0,
            on_the_way: 0,
            bytes: 0,
            was_full: false,
        }
    }
}

impl<A: Application> Publisher<A> {
    pub(crate) fn is_pending(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    pub(crate) fn has_room(&self, settings: &Settings) -> bool {
        self.bytes < settings.pending_bytes
    }

    pub(crate) fn publish(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: Option<&NodeId>,
        mut intent: Intent<A>,
    ) {
        if !self.has_room(ctx.settings) {
            let (shard, producer, sequence) = (ctx.shard, intent.producer, intent.sequence);
            ctx.put(Output::Rejected {
                shard,
                producer,
                sequence,
            });
            return;
        }
        self.bytes += intent.size();
        self.was_full |= !self.has_room(ctx.settings);
        let earlier = self.by_producer.entry(intent.producer.clone()).or_default();
        intent.previous = earlier.back().map(|(sequence, _)| *sequence);
        earlier.push_back((intent.sequence, self.next));
        self.unconfirmed.insert(self.next, intent);
        self.next += 1;
        if let Some(holder) = holder {
            self.fill(ctx, holder);
        }
    }

    /// Sends all again, each naming the one before it. What the holder has already, it recognises.
    pub(crate) fn repeat(&mut self, ctx: &mut Context<'_, A>, holder: &NodeId) {
        self.unsent = 0;
        self.on_the_way = 0;
        self.fill(ctx, holder);
    }

    /// Sends as much as the window has room for.
    fn fill(&mut self, ctx: &mut Context<'_, A>, holder: &NodeId) {
        for (ticket, intent) in self.unconfirmed.range(self.unsent..) {
            if self.on_the_way >= ctx.settings.window_bytes {
                break;
            }
            self.on_the_way += intent.size();
            self.unsent = *ticket + 1;
            ctx.send(holder, Topics::Publish(intent.clone()));
        }
    }

    pub(crate) fn on_confirmed(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: Option<&NodeId>,
        producer: ProducerOf<A>,
        sequence: u64,
        at: Position,
    ) {
        let Some(queue) = self.by_producer.get_mut(&producer) else {
            return;
        };
        let confirmed = queue.partition_point(|(earlier, _)| *earlier <= sequence);
        for (_, ticket) in queue.drain(..confirmed) {
            if let Some(intent) = self.unconfirmed.remove(&ticket) {
                self.bytes -= intent.size();
                if ticket < self.unsent {
                    self.on_the_way -= intent.size();
                }
            }
        }
        match queue.front() {
            Some((_, first)) => {
                if let Some(intent) = self.unconfirmed.get_mut(first) {
                    intent.previous = None;
                }
            }
            None => {
                self.by_producer.remove(&producer);
            }
        }
        if confirmed == 0 {
            return;
        }
        let shard = ctx.shard;
        if self.was_full && self.bytes <= ctx.settings.pending_bytes / 2 {
            self.was_full = false;
            ctx.put(Output::Writable(shard));
        }
        ctx.put(Output::Confirmed {
            shard,
            producer,
            sequence,
            at,
        });
        if let Some(holder) = holder {
            self.fill(ctx, holder);
        }
    }
}
