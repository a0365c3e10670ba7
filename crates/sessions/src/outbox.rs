//! What a socket sends to others, until it is confirmed.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    ids::{Sequence, SocketId, Source},
    message::{Destination, Intent},
};

/// Something on its way to others, or waiting for that.
#[derive(Debug)]
struct Pending {
    intent: Intent,
    /// The number of the record that must be committed before; 0 if there is none.
    after: u64,
    is_sent: bool,
    is_recorded: bool,
}

/// In the order in which it came to be. Each source numbers its own; what one source sends leaves when all that another
/// has sent before is confirmed, for only within one source does the receiver see a hole.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pending: VecDeque<Pending>,
    keys: BTreeSet<(Source, Sequence)>,
    /// What is pending takes so many bytes.
    bytes: usize,
    /// Confirmed, and still in the replicated state.
    to_be_dropped: Vec<(Source, Sequence)>,
}

impl Outbox {
    /// What a holder finds in the state.
    pub(crate) fn found<'a>(intents: impl IntoIterator<Item = &'a Intent>) -> Self {
        let mut outbox = Self::default();
        for intent in intents {
            outbox.push(intent.clone(), 0, true);
        }
        outbox
    }

    pub(crate) fn push(&mut self, intent: Intent, after: u64, is_recorded: bool) {
        self.keys.insert(intent.key());
        self.bytes += intent.size();
        self.pending.push_back(Pending {
            intent,
            after,
            is_sent: false,
            is_recorded,
        });
    }

    /// A record has all that is here.
    pub(crate) fn recorded(&mut self) {
        for pending in &mut self.pending {
            pending.is_recorded = true;
        }
    }

    pub(crate) fn is_confirmed(&self, intent: &Intent) -> bool {
        !self.keys.contains(&intent.key())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What may leave now and has not.
    pub(crate) fn release(&mut self, committed: u64) -> Vec<Intent> {
        let Some(source) = self.pending.front().map(|first| first.intent.source) else {
            return Vec::new();
        };
        let may_leave =
            |pending: &&mut Pending| pending.intent.source == source && pending.after <= committed;
        let leaving = self.pending.iter_mut().take_while(may_leave);
        let unsent = leaving.filter(|pending| !pending.is_sent);
        unsent
            .map(|pending| {
                pending.is_sent = true;
                pending.intent.clone()
            })
            .collect()
    }

    /// There is no room for it, nor for what is behind it: that may leave later.
    pub(crate) fn retract(&mut self, intent: &Intent) {
        let behind = self.pending.iter_mut();
        for pending in behind.skip_while(|pending| pending.intent.key() != intent.key()) {
            pending.is_sent = false;
        }
    }

    /// How many bytes are not confirmed.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// It is confirmed.
    pub(crate) fn confirmed(&mut self, source: Source, sequence: Sequence) {
        if !self.keys.remove(&(source, sequence)) {
            return;
        }
        let is_it = |pending: &Pending| pending.intent.key() == (source, sequence);
        if let Some(index) = self.pending.iter().position(is_it)
            && let Some(pending) = self.pending.remove(index)
        {
            self.bytes -= pending.intent.size();
            if pending.is_recorded {
                self.to_be_dropped.push((source, sequence));
            }
        }
    }

    /// What the next record drops from the state.
    pub(crate) fn take_confirmed(&mut self) -> Vec<(Source, Sequence)> {
        std::mem::take(&mut self.to_be_dropped)
    }

    /// What was sent to sockets and is not confirmed, each with the one before it to the same socket and of its source.
    pub(crate) fn directs(&self) -> impl Iterator<Item = (SocketId, &Intent, Option<Sequence>)> {
        let sent = self
            .pending
            .iter()
            .enumerate()
            .filter(|(_, pending)| pending.is_sent);
        sent.filter_map(|(index, pending)| {
            let Destination::Socket(to) = pending.intent.destination else {
                return None;
            };
            Some((to, &pending.intent, self.previous(index)))
        })
    }

    fn previous(&self, index: usize) -> Option<Sequence> {
        let it = &self.pending[index].intent;
        let mut before = self.pending.range(..index).rev().map(|pending| &pending.intent);
        let is_previous =
            |intent: &&Intent| intent.destination == it.destination && intent.source == it.source;
        before.find(is_previous).map(|intent| intent.sequence)
    }
}
