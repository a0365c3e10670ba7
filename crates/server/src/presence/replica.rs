//! The people of another node, as far as this one has been told.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use hither_socketio::Json;

use super::wire::{Note, Seat};

/// The list of another node.
#[derive(Debug, Default)]
pub(super) struct Replica {
    seats: BTreeMap<Seat, Json>,
    version: u64,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing has been asked for yet.
    #[default]
    Unknown,
    /// Asked for what lies behind this seat; `heard` says whether a page came since the last digest.
    Fetching { after: Option<Seat>, heard: bool },
    /// The same as the list of its node, as of `version`.
    InStep,
}

/// What comes of a note.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What to answer.
    pub(super) reply: Option<Note>,
    /// The seats about which something else may be true now.
    pub(super) touched: BTreeSet<Seat>,
}

impl Replica {
    pub(super) fn card(&self, seat: &Seat) -> Option<&Json> {
        self.seats.get(seat)
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.keys()
    }

    /// Asks for the whole list: for the first time, or because something may be missing.
    pub(super) fn fetch(&mut self) -> Note {
        self.state = State::Fetching {
            after: None,
            heard: false,
        };
        Note::Want { after: None }
    }

    /// Its node says something of its list.
    pub(super) fn hear(&mut self, note: Note) -> Heard {
        match note {
            Note::Delta { from, to, changes } => {
                if matches!(self.state, State::Unknown) || from != self.version {
                    // While the first page is awaited the version is not known; that page brings it.
                    let awaits_first = matches!(self.state, State::Fetching { after: None, .. });
                    return Heard {
                        reply: (!awaits_first).then(|| self.fetch()),
                        ..Heard::default()
                    };
                }
                self.version = to;
                let mut touched = BTreeSet::new();
                for (place, list) in changes {
                    for change in list {
                        let seat = (place.clone(), change.key);
                        match change.card {
                            Some(card) => drop(self.seats.insert(seat.clone(), card)),
                            None => drop(self.seats.remove(&seat)),
                        }
                        touched.insert(seat);
                    }
                }
                Heard { reply: None, touched }
            }
            Note::Digest { version } => Heard {
                reply: self.compare(version),
                ..Heard::default()
            },
            Note::Page {
                version,
                after,
                upto,
                entries,
            } => self.page(version, after, upto, entries),
            // For the list of this node.
            Note::Want { .. } => Heard::default(),
        }
    }

    fn compare(&mut self, version: u64) -> Option<Note> {
        match &mut self.state {
            State::InStep if self.version == version => None,
            State::Fetching { heard, .. } if *heard => {
                *heard = false;
                None
            }
            _ => Some(self.fetch()),
        }
    }

    fn page(
        &mut self,
        version: u64,
        after: Option<Seat>,
        upto: Option<Seat>,
        entries: Vec<(super::wire::Place, Vec<super::Person>)>,
    ) -> Heard {
        let State::Fetching { after: awaited, .. } = &self.state else {
            return Heard::default();
        };
        if *awaited != after {
            // Of a fetch that was begun anew since.
            return Heard::default();
        }
        if after.is_some() && version != self.version {
            // A delta was lost between two pages: what came before may be wrong.
            return Heard {
                reply: Some(self.fetch()),
                ..Heard::default()
            };
        }
        self.version = version;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let end = upto.clone().map_or(Bound::Unbounded, Bound::Included);
        let mut touched: BTreeSet<Seat> = self
            .seats
            .range((start, end))
            .map(|(seat, _)| seat.clone())
            .collect();
        for seat in &touched {
            self.seats.remove(seat);
        }
        for (place, people) in entries {
            for person in people {
                let seat = (place.clone(), person.key);
                self.seats.insert(seat.clone(), person.card);
                touched.insert(seat);
            }
        }
        let reply = match upto {
            Some(upto) => {
                self.state = State::Fetching {
                    after: Some(upto.clone()),
                    heard: true,
                };
                Some(Note::Want { after: Some(upto) })
            }
            None => {
                self.state = State::InStep;
                None
            }
        };
        Heard { reply, touched }
    }
}
