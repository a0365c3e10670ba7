//! What this node has published to one shard's topics and does not know to be committed.

use std::collections::VecDeque;

use crate::{
    application::{Application, ProducerOf},
    ids::{NodeId, Position},
    message::{Intent, Topics},
    output::Output,
    shard::Context,
};

/// In the order in which they were published. Nothing leaves it before it is confirmed; a new holder is sent all of it.
pub(crate) struct Publisher<A: Application> {
    unconfirmed: VecDeque<Intent<A>>,
}

impl<A: Application> Default for Publisher<A> {
    fn default() -> Self {
        Self {
            unconfirmed: VecDeque::new(),
        }
    }
}

impl<A: Application> Publisher<A> {
    pub(crate) fn is_pending(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    pub(crate) fn publish(
        &mut self,
        ctx: &mut Context<'_, A>,
        holder: Option<&NodeId>,
        mut intent: Intent<A>,
    ) {
        let earlier = self.unconfirmed.iter().rev();
        intent.previous = earlier
            .filter(|earlier| earlier.producer == intent.producer)
            .map(|earlier| earlier.sequence)
            .next();
        self.unconfirmed.push_back(intent.clone());
        if let Some(holder) = holder {
            ctx.send(holder, Topics::Publish(intent));
        }
    }

    /// Sends all again, each naming the one before it. What the holder has already, it recognises.
    pub(crate) fn repeat(&self, ctx: &mut Context<'_, A>, holder: &NodeId) {
        for intent in &self.unconfirmed {
            ctx.send(holder, Topics::Publish(intent.clone()));
        }
    }

    pub(crate) fn on_confirmed(
        &mut self,
        ctx: &mut Context<'_, A>,
        producer: ProducerOf<A>,
        sequence: u64,
        at: Position,
    ) {
        let before = self.unconfirmed.len();
        self.unconfirmed
            .retain(|intent| intent.producer != producer || intent.sequence > sequence);
        if self.unconfirmed.len() == before {
            return;
        }
        if let Some(next) = self
            .unconfirmed
            .iter_mut()
            .find(|intent| intent.producer == producer)
        {
            next.previous = None;
        }
        ctx.put(Output::Confirmed {
            producer,
            sequence,
            at,
        });
    }
}
