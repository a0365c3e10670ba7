//! The people of this node: who is in which room through a session that lives here.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use hither_socketio::Json;

use super::{
    Person, PersonKey,
    wire::{Change, Note, Place, Seat},
};

/// Persons in one page. With cards of a hundred bytes, a page is far below what a link has under way.
const PAGE: usize = 256;

/// The list that this node tells the others.
#[derive(Debug, Default)]
pub(super) struct Local {
    seats: BTreeMap<Seat, Here>,
    people: BTreeMap<Place, usize>,
    version: u64,
    /// What the others have not been told.
    changed: BTreeSet<Seat>,
}

#[derive(Debug)]
struct Here {
    sockets: usize,
    card: Json,
}

impl Local {
    /// A socket of this person is in this room. Says whether that changes the list.
    pub(super) fn enter(&mut self, place: &Place, person: &Person) -> bool {
        let seat = (place.clone(), person.key.clone());
        if let Some(here) = self.seats.get_mut(&seat) {
            here.sockets += 1;
            if here.card == person.card {
                return false;
            }
            here.card = person.card.clone();
        } else {
            let here = Here {
                sockets: 1,
                card: person.card.clone(),
            };
            self.seats.insert(seat.clone(), here);
            *self.people.entry(place.clone()).or_default() += 1;
        }
        self.changed.insert(seat);
        true
    }

    /// A socket that had [entered](Self::enter) is gone. Says whether that changes the list.
    pub(super) fn leave(&mut self, place: &Place, key: &PersonKey) -> bool {
        let seat = (place.clone(), key.clone());
        let Some(here) = self.seats.get_mut(&seat) else {
            return false;
        };
        here.sockets -= 1;
        if here.sockets > 0 {
            return false;
        }
        self.seats.remove(&seat);
        if let Some(people) = self.people.get_mut(place) {
            *people -= 1;
            if *people == 0 {
                self.people.remove(place);
            }
        }
        self.changed.insert(seat);
        true
    }

    pub(super) fn card(&self, seat: &Seat) -> Option<&Json> {
        self.seats.get(seat).map(|here| &here.card)
    }

    /// Whether anybody of this node is in the room.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.people.contains_key(place)
    }

    pub(super) fn digest(&self) -> Note {
        Note::Digest {
            version: self.version,
        }
    }

    /// What changed since the last delta, if anything did.
    pub(super) fn delta(&mut self) -> Option<Note> {
        let changed = std::mem::take(&mut self.changed);
        let mut changes: Vec<(Place, Vec<Change>)> = Vec::new();
        for seat in changed {
            let card = self.card(&seat).cloned();
            let (place, key) = seat;
            let change = Change { key, card };
            match changes.last_mut() {
                Some((last, list)) if *last == place => list.push(change),
                _ => changes.push((place, vec![change])),
            }
        }
        if changes.is_empty() {
            return None;
        }
        let from = self.version;
        self.version += 1;
        Some(Note::Delta {
            from,
            to: self.version,
            changes,
        })
    }

    /// What stands behind a seat, as much as fits a page.
    pub(super) fn page(&self, after: Option<Seat>) -> Note {
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut entries: Vec<(Place, Vec<Person>)> = Vec::new();
        let mut seats = self.seats.range((start, Bound::Unbounded));
        let mut last = None;
        for (seat, here) in seats.by_ref().take(PAGE) {
            let (place, key) = seat;
            let person = Person {
                key: key.clone(),
                card: here.card.clone(),
            };
            match entries.last_mut() {
                Some((last, list)) if last == place => list.push(person),
                _ => entries.push((place.clone(), vec![person])),
            }
            last = Some(seat.clone());
        }
        Note::Page {
            version: self.version,
            after,
            upto: last.filter(|_| seats.next().is_some()),
            entries,
        }
    }
}
