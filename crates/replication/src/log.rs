//! The recent past of one shard: numbered entries, and the terms in which the numbers were given.

mod encoding;

use std::{collections::VecDeque, fmt::Debug};

use serde::{Deserialize, Serialize};

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Position, Term},
};

/// What stands in a log.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Entry<A: Application> {
    pub(crate) at: Position,
    pub(crate) body: Body<A>,
}

/// What an entry does.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Body<A: Application> {
    /// A holder has taken over. Changes nothing; its acknowledgement shows that the former one agrees.
    Opened,
    /// The application's state changes.
    Record(A::Record),
    /// Something is published.
    Publication(Publication<A>),
    /// Something is not kept any more. An entry, so that all copies forget the same.
    Trimmed {
        /// Entries up to this number.
        entries: u64,
        /// Who has published, and which topics were published to, if it was up to this number for the last time.
        idle: u64,
    },
}

impl<A: Application> Entry<A> {
    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let body = match &self.body {
            Body::Opened | Body::Trimmed { .. } => 0,
            Body::Record(record) => A::record_size(record),
            Body::Publication(publication) => A::payload_size(&publication.payload),
        };
        size_of::<Self>() + body
    }
}

/// What is published to a topic.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Publication<A: Application> {
    pub(crate) topic: TopicOf<A>,
    /// The number of the topic's publication before this one, or one up to which the topic had none that is kept.
    /// By it a subscriber notices what it has missed.
    pub(crate) previous: u64,
    pub(crate) producer: ProducerOf<A>,
    /// The producer's own number for it, by which a repetition is recognised.
    pub(crate) sequence: u64,
    pub(crate) payload: A::Payload,
}

/// The entries of a shard that are kept.
pub(crate) struct Log<A: Application> {
    entries: VecDeque<Entry<A>>,
    /// Each term with the number of its first entry, in order. Those that ended long ago are forgotten.
    terms: Vec<(Term, u64)>,
    last: Position,
    /// What the entries take.
    bytes: usize,
}

impl<A: Application> Log<A> {
    pub(crate) fn last(&self) -> Position {
        self.last
    }

    /// Up to which number entries are forgotten.
    pub(crate) fn floor(&self) -> u64 {
        self.last.number - self.entries.len() as u64
    }

    /// Where the entry behind the last one will be.
    pub(crate) fn next(&self, term: Term) -> Position {
        Position {
            term,
            number: self.last.number + 1,
        }
    }

    pub(crate) fn follows(&self, at: Position) -> bool {
        at.number == self.last.number + 1 && at.term >= self.last.term
    }

    /// Appends what [follows](Self::follows).
    pub(crate) fn push(&mut self, entry: Entry<A>) {
        if self.terms.last().is_none_or(|(term, _)| *term != entry.at.term) {
            self.terms.push((entry.at.term, entry.at.number));
        }
        self.last = entry.at;
        self.bytes += entry.size();
        self.entries.push_back(entry);
    }

    pub(crate) fn forget(&mut self, up_to: u64) {
        while self.floor() < up_to.min(self.last.number) {
            let entry = self.entries.pop_front();
            self.bytes -= entry.map_or(0, |entry| entry.size());
        }
    }

    /// Forgets all but so many of the terms that ended at this number, or before it.
    pub(crate) fn forget_terms(&mut self, up_to: u64, kept: usize) {
        let later = self.terms.partition_point(|(_, first)| *first <= up_to);
        self.terms.drain(..later.saturating_sub(1 + kept));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes the entries behind a number take, up to and with another one.
    pub(crate) fn size(&self, after: u64, up_to: u64) -> usize {
        self.range(after, up_to).map(Entry::size).sum()
    }

    /// Up to which number entries must be forgotten if the rest is to take no more than this.
    pub(crate) fn excess(&self, bytes: usize) -> u64 {
        let mut rest = self.bytes;
        let excess = self.entries.iter().take_while(|entry| {
            let is_too_much = rest > bytes;
            rest -= entry.size();
            is_too_much
        });
        self.floor() + excess.count() as u64
    }

    /// Whether this position is one of this history, and not of another one that went on elsewhere. Of a term that is forgotten,
    /// nothing is known.
    pub(crate) fn has(&self, position: Position) -> bool {
        if position == Position::START {
            return true;
        }
        let later = self.terms.partition_point(|(_, first)| *first <= position.number);
        position.number <= self.last.number
            && later
                .checked_sub(1)
                .is_some_and(|index| self.terms[index].0 == position.term)
    }

    /// The entries behind a number that is not [forgotten](Self::floor), up to and with another one.
    pub(crate) fn range(&self, after: u64, up_to: u64) -> impl Iterator<Item = &Entry<A>> {
        let skipped = usize::try_from(after.saturating_sub(self.floor())).unwrap_or(usize::MAX);
        self.entries
            .iter()
            .skip(skipped)
            .take_while(move |entry| entry.at.number <= up_to)
    }

    /// The position of a number that is kept, or of the last one that is not.
    pub(crate) fn position(&self, number: u64) -> Position {
        let later = self.terms.partition_point(|(_, first)| *first <= number);
        let term = later
            .checked_sub(1)
            .map_or(Term::NONE, |index| self.terms[index].0);
        Position { term, number }
    }
}

impl<A: Application> Default for Log<A> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            terms: Vec::new(),
            last: Position::START,
            bytes: 0,
        }
    }
}

impl<A: Application> Clone for Log<A> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            terms: self.terms.clone(),
            last: self.last,
            bytes: self.bytes,
        }
    }
}

impl<A: Application> Clone for Entry<A> {
    fn clone(&self) -> Self {
        Self {
            at: self.at,
            body: self.body.clone(),
        }
    }
}

impl<A: Application> Clone for Body<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Opened => Self::Opened,
            Self::Record(record) => Self::Record(record.clone()),
            Self::Publication(publication) => Self::Publication(publication.clone()),
            Self::Trimmed { entries, idle } => Self::Trimmed {
                entries: *entries,
                idle: *idle,
            },
        }
    }
}

impl<A: Application> Clone for Publication<A> {
    fn clone(&self) -> Self {
        Self {
            topic: self.topic.clone(),
            previous: self.previous,
            producer: self.producer.clone(),
            sequence: self.sequence,
            payload: self.payload.clone(),
        }
    }
}

impl<A: Application> Debug for Entry<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} ", self.at)?;
        match &self.body {
            Body::Opened => f.write_str("opened"),
            Body::Record(record) => write!(f, "{record:?}"),
            Body::Publication(publication) => write!(
                f,
                "{:?} to {:?} (after {}) by {:?}.{}",
                publication.payload,
                publication.topic,
                publication.previous,
                publication.producer,
                publication.sequence
            ),
            Body::Trimmed { entries, idle } => write!(f, "trimmed to {entries}, {idle}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        NodeId, codec,
        simulation::{Record, Records},
    };

    /// Five terms with two entries each.
    fn log() -> Log<Records> {
        let (mut log, mut term, node) = (Log::default(), Term::NONE, NodeId::new("o", 1));
        for _ in 0..5 {
            term = term.next(&node);
            for number in 0..2 {
                let (at, body) = (log.next(term), Body::Record(Record::Number(number)));
                log.push(Entry { at, body });
            }
        }
        log
    }

    #[test]
    fn terms_that_ended_long_ago_are_forgotten() {
        let (whole, mut log) = (log(), log());
        log.forget(5);
        log.forget_terms(5, 0);
        assert_eq!(log.terms.len(), 3);
        for number in 5..=10 {
            let position = whole.position(number);
            assert!(log.has(position) && log.position(number) == position);
        }
        let mut with_one = whole.clone();
        with_one.forget(5);
        with_one.forget_terms(5, 1);
        assert!(with_one.has(whole.position(4)) && !with_one.has(whole.position(2)));
        // Of what came before, nothing is known: it is neither here nor elsewhere.
        assert!(!log.has(whole.position(4)) && log.has(Position::START));
    }

    #[test]
    fn a_log_without_its_first_terms_is_read_as_it_was_written() {
        let mut log = log();
        log.forget(7);
        log.forget_terms(7, 0);
        let mut bytes = Vec::new();
        codec::encode_into(&log, &mut bytes).unwrap();
        let read: Log<Records> = codec::decode(&bytes, bytes.len()).unwrap();
        assert_eq!((read.floor(), read.terms, read.last), (7, log.terms, log.last));
    }

    #[test]
    fn a_log_that_lacks_the_term_of_an_entry_is_refused() {
        let mut log = log();
        log.forget(2);
        log.forget_terms(6, 0);
        let mut bytes = Vec::new();
        codec::encode_into(&log, &mut bytes).unwrap();
        assert!(codec::decode::<Log<Records>>(&bytes, bytes.len()).is_err());
    }
}
