//! What a socket sends to others, until it is confirmed.

use std::collections::{BTreeSet, VecDeque};

use hither_replication::Position;

use crate::{
    ids::{Sequence, SocketId, Source, Topic},
    message::{Destination, Intent, Published},
};

/// Something on its way to others, or waiting for that.
#[derive(Debug)]
struct Pending {
    intent: Intent,
    /// The number of the record that must be committed before; 0 if there is none.
    after: u64,
    is_sent: bool,
    is_recorded: bool,
    /// Of what goes to several topics: where it stands in those that have it.
    earlier: Vec<(Topic, Position)>,
}

/// What leaves.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) source: Source,
    pub(crate) sequence: Sequence,
    /// Where it is published; none for what goes to a socket.
    pub(crate) topic: Option<Topic>,
    pub(crate) published: Published,
}

impl Pending {
    fn is_for_several(&self) -> bool {
        matches!(self.intent.destination, Destination::Topics(_))
    }

    fn has(&self, source: Source, sequence: Sequence) -> bool {
        self.intent.source == source && (self.intent.sequence..=self.intent.last()).contains(&sequence)
    }

    fn leaving(&self) -> Leaving {
        let copy = self.earlier.len();
        let topic = match &self.intent.destination {
            Destination::Topic(topic) => Some(topic.clone()),
            Destination::Topics(topics) => topics.get(copy).cloned(),
            Destination::Socket(_) => None,
        };
        Leaving {
            source: self.intent.source,
            sequence: Sequence(self.intent.sequence.0 + copy as u64),
            topic,
            published: Published {
                event: self.intent.event.clone(),
                earlier: self.earlier.clone(),
            },
        }
    }
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
            earlier: Vec::new(),
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

    /// What may leave now and has not. What goes to several topics does so alone: so the confirmation of each copy says where
    /// that one stands.
    pub(crate) fn release(&mut self, committed: u64) -> Vec<Leaving> {
        let Some(first) = self.pending.front() else {
            return Vec::new();
        };
        let (source, most) = match first.is_for_several() {
            true => (first.intent.source, 1),
            false => (first.intent.source, usize::MAX),
        };
        let may_leave = |(index, pending): &(usize, &mut Pending)| {
            let is_alone = *index > 0 && pending.is_for_several();
            pending.intent.source == source && pending.after <= committed && !is_alone
        };
        let leaving = self
            .pending
            .iter_mut()
            .take(most)
            .enumerate()
            .take_while(may_leave);
        let unsent = leaving.filter(|(_, pending)| !pending.is_sent);
        unsent
            .map(|(_, pending)| {
                pending.is_sent = true;
                pending.leaving()
            })
            .collect()
    }

    /// There is no room for it, nor for what is behind it: that may leave later.
    pub(crate) fn retract(&mut self, leaving: &Leaving) {
        let behind = self.pending.iter_mut();
        for pending in behind.skip_while(|pending| !pending.has(leaving.source, leaving.sequence)) {
            pending.is_sent = false;
        }
    }

    /// How many bytes are not confirmed.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// It is confirmed, and if it was published, it stands there. If that is one of several copies, the next one may leave.
    pub(crate) fn confirmed(&mut self, source: Source, sequence: Sequence, at: Option<Position>) {
        let is_it = |pending: &Pending| pending.has(source, sequence);
        let Some(index) = self.pending.iter().position(is_it) else {
            return;
        };
        let pending = &mut self.pending[index];
        if let (Destination::Topics(topics), Some(at)) = (&pending.intent.destination, at) {
            let copy = (sequence.0 - pending.intent.sequence.0) as usize;
            // A copy that was repeated is confirmed more than once.
            let topic = topics.get(copy).filter(|_| copy == pending.earlier.len());
            let Some(topic) = topic else { return };
            if sequence < pending.intent.last() {
                pending.earlier.push((topic.clone(), at));
                pending.is_sent = false;
                return;
            }
        }
        if let Some(pending) = self.pending.remove(index) {
            let key = pending.intent.key();
            self.keys.remove(&key);
            self.bytes -= pending.intent.size();
            if pending.is_recorded {
                self.to_be_dropped.push(key);
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
